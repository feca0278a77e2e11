package controller

import (
	"errors"
	"time"

	"lightd/controller/plan"
	"lightd/observed"
)

// A step may succeed maxNoProgress times in a row on one and the same observation before it counts
// as failed. It is in a row when it starts within noProgressWindow of when it could have at the
// earliest: what has to be done again later has another cause.
const (
	maxNoProgress    = 2
	noProgressWindow = 5 * time.Second
)

// stepFingerprint is a step as it was executed, and the observation it was decided on.
type stepFingerprint struct {
	kind          plan.Kind
	target, image string
	generation    int64
	run, install  containerFingerprint
}

// containerFingerprint is what distinguishes one observation of a container from another, in
// comparable form.
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

// progress counts how often the same step succeeded in a row without effect: an engine or a disk
// that reports success and does nothing is backed off like one that fails.
type progress struct {
	last    stepFingerprint
	repeats int
	// ready is when the next step could start at the earliest.
	ready time.Time
}

// errNoEffect is the failure of a step that reports success over and over.
var errNoEffect = errors.New("the step reported success repeatedly, without effect")

// succeeded counts a step that started at began and reported success. It returns errNoEffect
// once that happened too often.
func (p *progress) succeeded(step stepFingerprint, began time.Time) error {
	if step != p.last || began.Sub(p.ready) > noProgressWindow {
		p.last, p.repeats = step, 0
	}
	if p.repeats++; p.repeats > maxNoProgress {
		return errNoEffect
	}
	return nil
}
