package plan_test

import (
	"slices"
	"strings"
	"testing"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// startRecorded has the start of a container recorded and not yet taken.
func startRecorded(t *testing.T) *scenario {
	w := newScenario(t, nil)
	w.settle()
	w.change(func(c *desired.Container) { c.Power = desired.PowerRunning })
	if d := w.decide(); d.Step == nil || d.Step.Kind != plan.StartContainer {
		t.Fatalf("got %+v", d.Step)
	}
	w.story()
	return w
}

// TestWriteThatFindsAStepUnderWay is observed only when the step has ended: until then the step may
// still change the observation.
func TestWriteThatFindsAStepUnderWay(t *testing.T) {
	for name, change := range map[string]func(*desired.Container){
		"stopped": func(c *desired.Container) { c.Power = desired.PowerStopped },
		"paused":  func(c *desired.Container) { c.Paused = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := startRecorded(t)
			w.change(change)
			w.in.Underway = true
			d := plan.Observe(w.in)
			if d.Status.ObservedGeneration == w.in.Spec.Generation || d.Status.Get(status.Synced).Status == status.True {
				t.Errorf("generation %d is observed while a start is under way: %+v", d.Status.ObservedGeneration, d.Status.Get(status.Synced))
			}
			if len(d.Events) != 0 {
				t.Errorf("events %+v", d.Events)
			}
		})
	}
}

// TestStartThatIsWantedNoMore was recorded, and so its end is.
func TestStartThatIsWantedNoMore(t *testing.T) {
	for name, change := range map[string]func(*desired.Container){
		"stopped": func(c *desired.Container) { c.Power = desired.PowerStopped },
		"deleted": func(c *desired.Container) { c.Deleting = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := startRecorded(t)
			w.change(change)
			d := w.decide()
			if !slices.ContainsFunc(d.Events, func(e journal.Event) bool { return e.Message == "it was "+name+" before it started" }) {
				t.Errorf("events %+v", d.Events)
			}
			if !slices.Contains(w.events, "Exited") || w.in.Status.State != status.StateOffline {
				t.Errorf("%s; events %v", w.in.Status.State, w.events)
			}
		})
	}
}

// TestStartWhoseContainerIsReplaced is recorded as ended before the next one is.
func TestStartWhoseContainerIsReplaced(t *testing.T) {
	w := startRecorded(t)
	w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "B"} })
	w.settle()
	w.expect("CheckHost RemoveContainer CreateContainer StartContainer",
		"RemovingOldContainer Exited Starting Running")
}

// TestPortsAreGivenBackBeforeAWait that may have no end: no container binds them.
func TestPortsAreGivenBackBeforeAWait(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*scenario)
		after status.Reason
	}{
		"for an image that cannot be had": {func(w *scenario) {
			w.in.Image = observed.Image{Known: true, PullError: "no", PullFailedAt: w.in.Now}
		}, status.ReasonImageUnavailable},
		"for an installation that is lost": {func(w *scenario) {
			w.in.Status.Install.Snapshot, w.in.Snapshot = "kept:1", observed.Image{Known: true}
		}, status.ReasonInstallLost},
		"for a name":                        {func(w *scenario) { w.in.Seen.RunNameTaken = &observed.Foreign{} }, status.ReasonNameTaken},
		"after an installation that failed": {func(w *scenario) { w.in.Status.Install.Phase = status.InstallFailed }, status.ReasonInstallFailed},
		"after a refusal": {func(w *scenario) {
			w.in.Status.FailedGeneration, w.in.Status.FailedBy = w.in.Spec.Generation, status.FailedBySpec
		}, status.ReasonRefused},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, nil)
			w.settle()
			w.in.Seen.Run = nil
			w.change(func(c *desired.Container) {
				c.Releasing = []desired.Port{{IP: "0.0.0.0", Port: 25565, Protocol: desired.TCP}}
			})
			c.spoil(w)
			w.story()
			w.settle()
			if got := strings.Join(w.steps, " "); got != "ReleasePorts" {
				t.Errorf("steps: %s", got)
			}
			if r := w.in.Status.Get(status.Synced).Reason; r != c.after {
				t.Errorf("it waits for %s, want %s", r, c.after)
			}
		})
	}
}

// TestRemovalThatDidNotHappen is not taken for one that did not help.
func TestRemovalThatDidNotHappen(t *testing.T) {
	w := newScenario(t, func(c *desired.Container) { c.Limits.Memory = 64 << 20 })
	w.settle()
	w.change(func(c *desired.Container) { c.Limits.Memory = 0 })
	w.story()
	w.decide() // a check of the host
	w.in.Host = plan.HostCheck{Hash: w.in.Spec.Hash(w.in.Spec.Image), At: w.in.Now}
	for range 2 { // the daemon dies after the record, or Docker fails
		if d := w.decide(); d.Step == nil || d.Step.Kind != plan.RemoveContainer {
			t.Fatalf("got %+v", d.Step)
		}
	}
	w.settle()
	if got := w.in.Seen.Run.Limits.Memory; got != 0 {
		t.Errorf("the limit is %d", got)
	}
}

// TestStopOfWhatWaits: a process that is to end does so whatever its container waits for.
func TestStopOfWhatWaits(t *testing.T) {
	for name, wait := range map[string]func(*scenario){
		"a port": func(w *scenario) {
			w.change(func(c *desired.Container) { c.Ports = []desired.Port{{Port: 25566}} })
			w.in.Host = plan.HostCheck{Hash: w.in.Spec.Hash("img"), At: w.in.Now, Reason: status.ReasonPortUnavailable, Message: "busy"}
		},
		"an image": func(w *scenario) {
			w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
			w.in.Image = observed.Image{Known: true, PullError: "manifest unknown", PullFailedAt: w.in.Now}
		},
		"an image to install": func(w *scenario) {
			w.change(func(c *desired.Container) { c.Requests.Install++ })
			w.in.Image = observed.Image{Known: true, PullError: "manifest unknown", PullFailedAt: w.in.Now}
		},
		"another spec": func(w *scenario) {
			w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
			w.in.Status.FailedGeneration = w.in.Spec.Generation + 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, nil)
			wait(w)
			w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
			d := w.settle()
			if len(w.steps) == 0 || w.steps[0] != string(plan.StopContainer) || w.in.Seen.Run.Running() {
				t.Errorf("took %v, and then %s: %s", w.steps, d.Status.State, d.Status.Get(status.Synced).Reason)
			}
		})
	}
}

// TestPortThatIsStillBoundIsKept while the container that binds it takes its time to end.
func TestPortThatIsStillBoundIsKept(t *testing.T) {
	old := desired.Port{IP: "0.0.0.0", Port: 25565, Protocol: desired.TCP, ContainerPort: 25565}
	w := newScenario(t, func(c *desired.Container) { c.Ports, c.Power = []desired.Port{old}, desired.PowerRunning })
	w.settle()
	w.change(func(c *desired.Container) { c.Ports, c.Releasing = []desired.Port{}, []desired.Port{old} })
	w.in.Host = plan.HostCheck{Hash: w.in.Spec.Hash(w.in.Spec.Image), At: w.in.Now}
	if d := w.decide(); d.Step == nil || d.Step.Kind != plan.StopContainer {
		t.Fatalf("got %+v", d.Step)
	}
	w.in.Status.Stopping.Sent = true
	if d := w.decide(); d.Step != nil {
		t.Errorf("while it ends: %+v", d.Step)
	}
}

// TestRestartThatDidNotHappen is still requested, also of a container whose restart policy is "never".
func TestRestartThatDidNotHappen(t *testing.T) {
	w := newScenario(t, func(c *desired.Container) { c.Power, c.Restart = desired.PowerRunning, desired.RestartNever })
	w.settle()
	w.die(w.in.Seen.Run, 1)
	w.settle()
	w.change(func(c *desired.Container) { c.Requests.Restart++ })
	for range 2 { // the daemon dies after the record, or Docker fails
		if d := w.decide(); d.Step == nil || d.Step.Kind != plan.StartContainer {
			t.Fatalf("got %+v", d.Step)
		}
	}
}

// TestSignalThatWasNotDelivered is sent again: a program is killed only after a signal to end.
func TestSignalThatWasNotDelivered(t *testing.T) {
	w := newScenario(t, func(c *desired.Container) { c.Power = desired.PowerRunning })
	w.settle()
	w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	for range 2 { // the daemon dies after the record, or Docker fails
		if d := w.decide(); d.Step == nil || d.Step.Kind != plan.StopContainer {
			t.Fatalf("got %+v", d.Step)
		}
	}
}
