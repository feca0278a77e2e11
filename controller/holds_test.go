package controller

import (
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
)

// TestFailedStepIsHeldBack until its time, unless something is new.
func TestFailedStepIsHeldBack(t *testing.T) {
	now := time.Now()
	k := keyState{failed: plan.StartContainer, failedAt: now, generation: 2}
	for name, c := range map[string]struct {
		step       plan.Kind
		generation int64
		lost       time.Time
		held       bool
	}{
		"nothing is new":                   {plan.StartContainer, 2, now.Add(-time.Hour), true},
		"another step":                     {plan.RemoveContainer, 2, now.Add(-time.Hour), false},
		"another spec":                     {plan.StartContainer, 3, now.Add(-time.Hour), false},
		"the engine was lost, and is back": {plan.StartContainer, 2, now.Add(time.Second), false},
	} {
		t.Run(name, func(t *testing.T) {
			in := plan.Input{Spec: desired.Container{Generation: c.generation}, Seen: observed.Snapshot{EngineLost: c.lost}}
			if k.holds(c.step, in) != c.held {
				t.Errorf("held: %v", !c.held)
			}
		})
	}
}
