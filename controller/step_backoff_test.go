package controller

import (
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
)

func startOf(target string) plan.Step { return plan.Step{Kind: plan.StartContainer, Target: target} }

func inputOf(generation int64, engineLost time.Time) plan.Input {
	return plan.Input{Spec: desired.Container{Generation: generation}, Seen: observed.Snapshot{EngineLost: engineLost}}
}

// TestFailedStepIsHeldBack until its time, unless something is new.
func TestFailedStepIsHeldBack(t *testing.T) {
	now := time.Now()
	before := now.Add(-time.Hour)
	var failed, stale, over stepBackoff
	failed.failed(startOf("one"), 2, time.Hour, false, now)
	stale.failed(startOf("one"), 2, time.Hour, true, now)
	over.failed(startOf("one"), 2, time.Minute, false, before)
	again := stale
	again.failed(startOf("one"), 2, time.Hour, true, now)
	for name, c := range map[string]struct {
		b          stepBackoff
		step       plan.Step
		generation int64
		lost       time.Time
		held       bool
	}{
		"nothing is new":                   {failed, startOf("one"), 2, before, true},
		"another container":                {failed, startOf("other"), 2, before, true},
		"another kind":                     {failed, plan.Step{Kind: plan.StopContainer, Target: "one"}, 2, before, false},
		"no failure":                       {stepBackoff{}, startOf("one"), 0, before, false},
		"its time has come":                {over, startOf("one"), 2, before, false},
		"another spec":                     {failed, startOf("one"), 3, before, false},
		"the engine was lost, and is back": {failed, startOf("one"), 2, now.Add(time.Second), false},
		"stale":                            {stale, startOf("one"), 2, before, true},
		"stale, another container":         {stale, startOf("other"), 2, before, false},
		"stale twice, another container":   {again, startOf("other"), 2, before, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := inputOf(c.generation, c.lost)
			if left := c.b.left(c.step, in); left > 0 != c.held {
				t.Errorf("held back for %s", left)
			}
			_, listed := c.b.held(in)[c.step.Kind]
			if want := c.held && c.b.failures[c.step.Kind].staleTarget == ""; listed != want {
				t.Errorf("listed as held back: %t, want %t", listed, want)
			}
		})
	}
}

// TestStepBackoffGrowsAndIsReset: each failure doubles the delay, whatever kind it is of; a fixed
// cause grows by itself up to its own bound; a success ends the backoff of its own kind, and the last one all.
func TestStepBackoffGrowsAndIsReset(t *testing.T) {
	var b stepBackoff
	now := time.Now()
	fails := func(kind plan.Kind) time.Duration { return b.failed(plan.Step{Kind: kind}, 1, 0, false, now) }
	low, high := retryFirst, retryFirst*6/5
	for range 40 {
		if d := fails(plan.StartContainer); d < low || d > high {
			t.Fatalf("got %s, want %s to %s", d, low, high)
		}
		low, high = min(2*low, retryMost*5/6), min(2*high, retryMost)
	}
	if d := fails(plan.UpdateLimits); d < retryMost*5/6 {
		t.Errorf("another kind has its first delay of %s", d)
	}
	for i, want := range []time.Duration{1, 2, 4, 8, 15, 15} {
		if d := b.failed(plan.Step{Kind: plan.CreateContainer}, 1, plan.BlockedRetry, false, now); d != want*time.Second {
			t.Errorf("the delay of the external failure %d is %s, want %d s", i+1, d, want)
		}
	}
	b.due(plan.CreateContainer, now)
	if next := b.next(plan.CreateContainer); next.Number != 1 || !next.At.Equal(now) {
		t.Errorf("what is due is tried as %+v", next)
	}
	if next := b.next(plan.StartContainer); next.Number != 41 || !next.At.After(now) {
		t.Errorf("the next attempt is %+v", next)
	}
	copied := b
	b.succeeded(plan.StartContainer)
	if _, failed := b.failures[plan.StartContainer]; failed || len(b.failures) != 2 || b.count == 0 {
		t.Errorf("after a success of one kind of three: %+v", b)
	}
	if len(copied.failures) != 3 {
		t.Error("a copy has changed")
	}
	b.succeeded(plan.UpdateLimits)
	b.succeeded(plan.CreateContainer)
	if d := fails(plan.StartContainer); d > retryFirst*6/5 {
		t.Errorf("after the last success the first delay is %s", d)
	}
}
