package plan_test

import (
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

var (
	healthy   = observed.Health{Known: true, Healthy: true}
	unhealthy = observed.Health{Known: true, Message: "port 25565: connection refused"}
)

func withCheck(on desired.FailureAction) func(*desired.Container) {
	return func(c *desired.Container) { c.Health = &desired.Health{TCP: 25565, OnFailure: on} }
}

func (w *scenario) condition(want status.ConditionStatus, reason status.Reason) {
	w.t.Helper()
	if c := w.in.Status.Get(status.Healthy); c.Status != want || c.Reason != reason {
		w.t.Errorf("Healthy is %+v, want %s %s", c, want, reason)
	}
}

// TestHealthIsShown: the condition follows the checks, and its changes are events. What nobody has found out yet
// does not change what was recorded of this very run; another run begins anew.
func TestHealthIsShown(t *testing.T) {
	w := ready(t, withCheck(desired.FailureNone))
	w.condition(status.Unknown, status.ReasonProbing)
	for _, found := range []struct {
		observed.Health
		status status.ConditionStatus
		reason status.Reason
		events string
	}{
		{healthy, status.True, status.ReasonProbePassed, "Healthy"},
		{healthy, status.True, status.ReasonProbePassed, ""},
		{unhealthy, status.False, status.ReasonProbeFailed, "Unhealthy"},
		{observed.Health{}, status.False, status.ReasonProbeFailed, ""},
		{unhealthy, status.False, status.ReasonProbeFailed, ""},
		{healthy, status.True, status.ReasonProbePassed, "Healthy"},
	} {
		w.story()
		w.in.Health = found.Health
		w.settle()
		w.expect("", found.events)
		w.condition(found.status, found.reason)
	}
	w.in.Health = observed.Health{}
	w.die(w.in.Seen.Run, 1)
	w.story()
	w.settle()
	w.expect("StartContainer", "Exited Starting Running")
	w.condition(status.Unknown, status.ReasonProbing)
	w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	w.settle()
	w.condition(status.Unknown, status.ReasonNotRunning)
	w.change(func(c *desired.Container) { c.Health = nil })
	w.story()
	w.settle()
	w.expect("", "")
	w.condition("", "")
}

// TestUnhealthyRestarts: the process is stopped, and started again as one that crashed, whatever its exit code
// and its restart policy but never; a client's own stop wins.
func TestUnhealthyRestarts(t *testing.T) {
	for _, policy := range []desired.RestartPolicy{desired.RestartAlways, desired.RestartOnFailure} {
		w := ready(t, func(c *desired.Container) {
			withCheck(desired.FailureRestart)(c)
			c.Restart = policy
		})
		for i, delay := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second} {
			w.in.Health = unhealthy
			w.story()
			stop := w.decide().Step
			if stop == nil || stop.Kind != plan.StopContainer || !strings.Contains(stop.Reason, "unhealthy: port 25565") {
				t.Fatalf("%s: got %+v", policy, stop)
			}
			if strings.Contains(strings.Join(w.events, " "), "DriftDetected") {
				t.Errorf("a stop for a failed check is no drift: %v", w.events)
			}
			w.act(*stop)
			w.in.Seen.Run.ExitCode = 0
			w.in.Health = observed.Health{}
			d := w.decide()
			if delay > 0 {
				if d.Step != nil || d.After != delay || w.in.Status.State != status.StateBackOff {
					t.Fatalf("%s, %d: got %+v after %s, want %s", policy, i, d.Step, d.After, delay)
				}
				w.in.Now = w.in.Now.Add(delay)
				d = w.decide()
			}
			if d.Step == nil || d.Step.Kind != plan.StartContainer || w.in.Status.Restarts != i+1 {
				t.Fatalf("%s, %d: got %+v, %d restarts", policy, i, d.Step, w.in.Status.Restarts)
			}
			w.act(*d.Step)
			w.settle()
			w.condition(status.Unknown, status.ReasonProbing)
		}
		w.in.Seen.EngineLost = w.in.Now // as after a restart of the daemon: it has stopped these itself
		if w.settle(); w.in.Status.Crashes != 4 {
			t.Errorf("%s: %d crashes after the engine was lost", policy, w.in.Status.Crashes)
		}
		w.in.Health = unhealthy
		w.decide() // the stop is recorded
		w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
		w.settle()
		if st := w.in.Status; st.State != status.StateOffline || st.Restarts != 4 || st.Crashes != 0 {
			t.Errorf("%s: %s, %d restarts, %d crashes", policy, st.State, st.Restarts, st.Crashes)
		}
	}
}

// TestUnhealthyIsLeft: without on_failure nothing follows, nor while the container is paused.
func TestUnhealthyIsLeft(t *testing.T) {
	w := ready(t, withCheck(desired.FailureNone))
	w.in.Health = unhealthy
	w.settle()
	w.expect("", "Unhealthy")
	w = ready(t, withCheck(desired.FailureRestart))
	w.change(func(c *desired.Container) { c.Paused = true })
	w.in.Health = unhealthy
	w.settle()
	w.expect("", "Unhealthy")
}

// TestHealthRecreatesNothing: a check that is added, changed or removed restarts nothing.
func TestHealthRecreatesNothing(t *testing.T) {
	w := ready(t, nil)
	for _, change := range []func(*desired.Container){
		withCheck(desired.FailureRestart), withCheck(desired.FailureNone), func(c *desired.Container) { c.Health = nil },
	} {
		w.change(change)
		w.settle()
		w.expect("", "")
		if w.in.Status.ObservedGeneration != w.in.Spec.Generation {
			t.Error("the generation is not observed")
		}
	}
}

// TestSimulateUnhealthy: a plan of a container that is unhealthy has one restart.
func TestSimulateUnhealthy(t *testing.T) {
	w := ready(t, withCheck(desired.FailureRestart))
	w.in.Health = unhealthy
	s := plan.Simulate(w.in)
	if len(s.Steps) != 2 || s.Steps[0].Kind != plan.StopContainer || s.Steps[1].Kind != plan.StartContainer || !s.Restarts {
		t.Errorf("got %+v", s)
	}
}

// TestImageCheckIsShown: the HEALTHCHECK of an image is shown, and where the spec wants that of an image without
// one, that is.
func TestImageCheckIsShown(t *testing.T) {
	w := ready(t, nil)
	w.condition("", "")
	w.in.Image.Healthcheck = []string{"CMD", "true"}
	w.settle()
	w.expect("", "")
	w.condition(status.Unknown, status.ReasonNotProbed)
	w.change(func(c *desired.Container) { c.Health = &desired.Health{Image: true} })
	w.settle()
	w.condition(status.Unknown, status.ReasonProbing)
	w.in.Image.Healthcheck = []string{"NONE"}
	w.settle()
	w.condition(status.Unknown, status.ReasonNotProbed)
	w.change(func(c *desired.Container) { c.Health = nil })
	w.settle()
	w.condition("", "")
}
