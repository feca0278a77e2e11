package controller

import (
	"errors"
	"slices"
	"time"

	"lightd/controller/plan"
	"lightd/observed"
)

// stepFingerprint is a step as it was taken, and what was seen of its containers before.
type stepFingerprint struct {
	kind          plan.Kind
	target, image string
	generation    int64
	run, install  containerFingerprint
}

// containerFingerprint is what tells one sight of a container from another, in comparable form.
type containerFingerprint struct {
	containerID, name string
	phase             observed.Phase
	startedAt         int64
}

func fingerprintOf(c *observed.Container) containerFingerprint {
	if c == nil {
		return containerFingerprint{}
	}
	return containerFingerprint{c.ContainerID, c.Name, c.Phase, c.StartedAt.UnixNano()}
}

func (a *execution) fingerprint() stepFingerprint {
	return stepFingerprint{a.step.Kind, a.step.Target, a.step.Image, a.spec.Generation, fingerprintOf(a.seen.Run), fingerprintOf(a.seen.Install)}
}

// free is how often a step may be taken in a row on one and the same sight before it counts as
// failed. It is in a row when it begins within inRow of when it could have at the earliest:
// what has to be done again later has another cause.
const (
	maxNoProgress    = 2
	noProgressWindow = 5 * time.Second
)

// errNoEffect is what becomes of a step that succeeds over and over.
var errNoEffect = errors.New("the step was reported to be done several times over, and had no effect")

// checkProgress counts how often a step that succeeded was taken on one and the same sight, and returns
// errNoEffect when that is too often: an engine, or a disk, that says yes and does nothing is
// asked ever less, like one that says no. A pull, a load and a look at the host leave the sight
// as it is, and have a pace of their own.
func (a *execution) checkProgress() (err error) {
	if slices.Contains([]plan.Kind{plan.PullImage, plan.LoadSnapshot, plan.CheckHost}, a.step.Kind) {
		return nil
	}
	a.withState(a.spec.InternalID, func(k *keyState) {
		if this := a.fingerprint(); this != k.last || a.began.Sub(k.next) > noProgressWindow {
			k.last, k.repeats = this, 0
		}
		if k.repeats++; k.repeats > maxNoProgress {
			err = errNoEffect
		}
	})
	return err
}
