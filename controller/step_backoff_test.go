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
	failed := failure{at: now, generation: 2, retry: now.Add(time.Hour)}
	overtaken, over, none := failed, failed, failure{}
	overtaken.staleTarget, over.retry = "one", now
	start := func(target string) plan.Step { return plan.Step{Kind: plan.StartContainer, Target: target} }
	for name, c := range map[string]struct {
		f          failure
		step       plan.Step
		generation int64
		lost       time.Time
		held       bool
	}{
		"nothing is new":                   {failed, start("one"), 2, now.Add(-time.Hour), true},
		"another container":                {failed, start("other"), 2, now.Add(-time.Hour), true},
		"one that did not fail":            {none, start("one"), 0, now.Add(-time.Hour), false},
		"its time has come":                {over, start("one"), 2, now.Add(-time.Hour), false},
		"another spec":                     {failed, start("one"), 3, now.Add(-time.Hour), false},
		"the engine was lost, and is back": {failed, start("one"), 2, now.Add(time.Second), false},
		"overtaken":                        {overtaken, start("one"), 2, now.Add(-time.Hour), true},
		"overtaken on another container":   {overtaken, start("other"), 2, now.Add(-time.Hour), false},
	} {
		t.Run(name, func(t *testing.T) {
			in := plan.Input{Spec: desired.Container{Generation: c.generation}, Seen: observed.Snapshot{EngineLost: c.lost}}
			if left := c.f.backoffLeft(c.step, in); left > 0 != c.held {
				t.Errorf("held for %s", left)
			}
		})
	}
}
