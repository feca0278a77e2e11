package controller

import (
	"errors"
	"slices"
	"time"

	"lightd/controller/plan"
	"lightd/observed"
)

// attempt is a step as it was taken, and what was seen of its containers before.
type attempt struct {
	kind          plan.Kind
	target, image string
	generation    int64
	run, install  view
}

// view is what tells one sight of a container from another, in comparable form.
type view struct {
	containerID, name string
	phase             observed.Phase
	startedAt         int64
}

func viewOf(c *observed.Container) view {
	if c == nil {
		return view{}
	}
	return view{c.ContainerID, c.Name, c.Phase, c.StartedAt.UnixNano()}
}

func (a *act) attempt() attempt {
	return attempt{a.step.Kind, a.step.Target, a.step.Image, a.spec.Generation, viewOf(a.seen.Run), viewOf(a.seen.Install)}
}

// free is how often a step may be taken in a row on one and the same sight before it counts as
// failed. It is in a row when it begins within inRow of when it could have at the earliest:
// what has to be done again later has another cause.
const (
	free  = 2
	inRow = 5 * time.Second
)

// errNoEffect is what becomes of a step that succeeds over and over.
var errNoEffect = errors.New("the step was reported to be done several times over, and had no effect")

// again counts how often a step that succeeded was taken on one and the same sight, and returns
// errNoEffect when that is too often: an engine, or a disk, that says yes and does nothing is
// asked ever less, like one that says no. A pull, a load and a look at the host leave the sight
// as it is, and have a pace of their own.
func (a *act) again() (err error) {
	if slices.Contains([]plan.Kind{plan.PullImage, plan.LoadSnapshot, plan.CheckHost}, a.step.Kind) {
		return nil
	}
	a.key(a.spec.InternalID, func(k *keyState) {
		if this := a.attempt(); this != k.last || a.began.Sub(k.next) > inRow {
			k.last, k.repeats = this, 0
		}
		if k.repeats++; k.repeats > free {
			err = errNoEffect
		}
	})
	return err
}
