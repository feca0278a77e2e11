package plan_test

import (
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// paused is a scenario whose process was paused outside of Lightd, observed once.
func paused(t *testing.T) *scenario {
	w := ready(t, nil)
	w.in.Seen.Run.Phase = observed.Paused
	w.decide()
	w.story()
	return w
}

// step is the kind of the next step, or empty.
func (w *scenario) step() plan.Kind {
	if d := w.decide(); d.Step != nil {
		return d.Step.Kind
	}
	return ""
}

// TestPauseIsNotTouchedForAMinute: it is deferred drift, and its end is the next attempt.
func TestPauseIsNotTouchedForAMinute(t *testing.T) {
	w := paused(t)
	first := w.in.Now
	w.in.Now = first.Add(plan.PauseGrace - time.Second)
	d := w.decide()
	if d.Step != nil || d.After != time.Second || !d.Attempt.At.Equal(first.Add(plan.PauseGrace)) || !w.in.Status.Pause.Since.Equal(first) {
		t.Errorf("step %v, after %s, attempt %+v, pause %+v", d.Step, d.After, d.Attempt, w.in.Status.Pause)
	}
	if d.Status.Get(status.Synced).Status != status.True || len(w.events) > 0 {
		t.Errorf("synced %+v, events %v", d.Status.Get(status.Synced), w.events)
	}
	fields, _ := plan.Drift(w.in)
	if len(fields) != 1 || fields[0].Kind != drift.Deferred || fields[0].Step != plan.UnpauseContainer {
		t.Errorf("drift %+v", fields)
	}
	p := plan.Simulate(w.in)
	if kinds(p) != "UnpauseContainer" || !p.Attempt.At.Equal(first.Add(plan.PauseGrace)) {
		t.Errorf("plan %+v", p)
	}
	w.in.Now = first.Add(plan.PauseGrace)
	w.settle()
	w.expect("UnpauseContainer", "DriftDetected")
	if w.in.Status.Pause != nil {
		t.Errorf("the pause is recorded still: %+v", w.in.Status.Pause)
	}
}

// TestPauseOfAnotherRun starts a time of its own, and one that was ended outside of Lightd leaves nothing.
func TestPauseOfAnotherRun(t *testing.T) {
	w := paused(t)
	w.in.Seen.Run.Phase = observed.Running
	if w.step(); w.in.Status.Pause != nil {
		t.Errorf("recorded still: %+v", w.in.Status.Pause)
	}
	w.in.Now = w.in.Now.Add(time.Hour)
	w.in.Seen.Run.Phase = observed.Paused
	if got := w.step(); got != "" {
		t.Errorf("a second pause: %s", got)
	}
	w.in.Now = w.in.Now.Add(time.Hour)
	w.start(w.in.Seen.Run)
	w.in.Seen.Run.Phase = observed.Paused
	if got := w.step(); got != "" {
		t.Errorf("the pause of another run: %s", got)
	}
}

// TestPausedProcessIsStoppedAtOnce by whatever is wanted of it.
func TestPausedProcessIsStoppedAtOnce(t *testing.T) {
	for name, change := range map[string]func(*desired.Container){
		"stop":    func(c *desired.Container) { c.Power = desired.PowerStopped },
		"kill":    func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true },
		"restart": func(c *desired.Container) { c.Requests.Restart++ },
		"delete":  func(c *desired.Container) { c.Deleting = true },
	} {
		w := paused(t)
		w.change(change)
		if got := w.step(); got != plan.UnpauseContainer {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestPauseAndTheClock: one that was recorded by a clock that was set back since is over.
func TestPauseAndTheClock(t *testing.T) {
	w := paused(t)
	w.in.Now = w.in.Now.Add(-time.Hour + -time.Minute)
	w.in.Seen.EngineLost = w.in.Now.Add(-time.Second)
	w.step()
	if since := w.in.Status.Pause.Since; since.After(w.in.Now) {
		t.Errorf("the pause began at %s, and it is %s", since, w.in.Now)
	}
	w.in.Now = w.in.Now.Add(plan.PauseGrace)
	if got := w.step(); got != plan.UnpauseContainer {
		t.Errorf("a minute later: %q", got)
	}
}

// TestPausedInstallScript waits as well, but never beyond its own deadline.
func TestPausedInstallScript(t *testing.T) {
	frozen := func() *scenario {
		w := newScenario(t, script)
		w.exit = -1
		w.settle()
		w.in.Seen.Install.Phase = observed.Paused
		return w
	}
	w := frozen()
	if d := w.decide(); d.Step != nil || d.After != plan.PauseGrace || d.Attempt.At.IsZero() {
		t.Errorf("step %v, after %s, attempt %+v", d.Step, d.After, d.Attempt)
	}
	if p := plan.Simulate(w.in); len(p.Steps) == 0 || p.Steps[0].Kind != plan.UnpauseContainer || p.Attempt.At.IsZero() {
		t.Errorf("plan %+v", p)
	}
	w.in.Now = w.in.Now.Add(plan.PauseGrace)
	if got := w.step(); got != plan.UnpauseContainer {
		t.Errorf("a minute later: %q", got)
	}
	w = frozen()
	w.in.Now = w.in.Status.Install.ScriptAt.Add(w.in.InstallTimeout - time.Second)
	if d := w.decide(); d.Step != nil || d.After != time.Second {
		t.Errorf("before its deadline: step %v, after %s", d.Step, d.After)
	}
	w.in.Now = w.in.Now.Add(time.Second)
	if got := w.step(); got != plan.UnpauseContainer {
		t.Errorf("past its deadline: %q", got)
	}
}
