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

// measuredScript is a script that runs on, in a node with a bound of 10 GiB.
func measuredScript(t *testing.T) *scenario {
	w := newScenario(t, script)
	w.in.MaxInstallation = 10 << 30
	w.exit = -1
	w.settle()
	w.expect("CreateInstallContainer StartInstallScript", "Started CreatingContainer ContainerCreated RunningInstallScript")
	return w
}

// later decides at a pace of measurements.
func (w *scenario) later() {
	w.in.Now = w.in.Now.Add(15 * time.Second)
	w.settle()
}

func TestInstallationIsMeasuredAtItsPace(t *testing.T) {
	w := measuredScript(t)
	before := w.in.Status.Get(status.Synced)
	if d := w.decide(); d.Step != nil || d.After > 15*time.Second {
		t.Fatalf("got %+v after %s", d.Step, d.After)
	}
	w.later()
	w.expect("MeasureInstallation", "")
	w.later()
	w.expect("MeasureInstallation", "")
	if now := w.in.Status.Get(status.Synced); now != before {
		t.Errorf("a measurement shows as %+v", now)
	}
	w.in.Status.Install.LayerBytes = 10 << 30 // just within it
	w.die(w.in.Seen.Install, 0)
	w.settle()
	w.expect("MeasureInstallation KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer",
		"InstallScriptComplete SettingUpEntrypoint Ready")
}

// TestInstallationWithoutABound is never measured, and neither is one that has failed anyway.
func TestInstallationWithoutABound(t *testing.T) {
	w := measuredScript(t)
	w.in.MaxInstallation = 0
	w.later()
	w.die(w.in.Seen.Install, 0)
	w.settle()
	w.expect("KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer", "InstallScriptComplete SettingUpEntrypoint Ready")
	w = measuredScript(t)
	w.die(w.in.Seen.Install, 1)
	w.settle()
	w.expect("SaveInstallOutput RemoveInstallContainer", "Error")
}

func TestInstallationBeyondItsBound(t *testing.T) {
	const message = "the installation wrote more than 10g outside the volume (containers.max_installation)"
	for name, c := range map[string]struct {
		happens func(*scenario)
		steps   string
	}{
		"while it runs": {func(w *scenario) {}, "KillInstallScript SaveInstallOutput RemoveInstallContainer"},
		"while it is frozen": {func(w *scenario) { w.in.Seen.Install.Phase = observed.Paused },
			"UnpauseContainer KillInstallScript SaveInstallOutput RemoveInstallContainer"},
		"and it ended well meanwhile": {func(w *scenario) { w.die(w.in.Seen.Install, 0) }, "SaveInstallOutput RemoveInstallContainer"},
		"and it failed meanwhile":     {func(w *scenario) { w.die(w.in.Seen.Install, 1) }, "SaveInstallOutput RemoveInstallContainer"},
		"past its deadline too": {func(w *scenario) { w.in.Now = w.in.Now.Add(time.Hour) },
			"KillInstallScript SaveInstallOutput RemoveInstallContainer"},
		"and it deletes that before it is killed": {func(w *scenario) {
			w.decide()
			w.in.Status.Install.LayerBytes = 0
		}, "KillInstallScript SaveInstallOutput RemoveInstallContainer"},
		"and the operator takes the bound away": {func(w *scenario) {
			w.decide()
			w.in.MaxInstallation = 0
		}, "KillInstallScript SaveInstallOutput RemoveInstallContainer"},
	} {
		t.Run(name, func(t *testing.T) {
			w := measuredScript(t)
			w.in.Status.Install.LayerBytes = 10<<30 + 1
			c.happens(w)
			if d := plan.Decide(w.in); d.Step.Kind == plan.KillInstallScript && d.Step.Reason != message {
				t.Errorf("killed for %q", d.Step.Reason)
			}
			w.settle()
			w.expect(c.steps, "Error")
			got := w.in.Status.Get(status.Installed)
			if got.Reason != status.ReasonInstallScriptFailed || got.Message != message || w.in.Status.Install.Snapshot != "" {
				t.Errorf("%+v, snapshot %q", got, w.in.Status.Install.Snapshot)
			}
			w.change(func(c *desired.Container) { c.Requests.Install++ })
			w.exit = 0
			w.settle()
			if w.in.Status.InstallState != status.Ready {
				t.Errorf("the next installation is %s", w.in.Status.InstallState)
			}
		})
	}
}

// TestInstallationThatCannotBeMeasured in time, twice in a row, counts as beyond its bound.
func TestInstallationThatCannotBeMeasured(t *testing.T) {
	w := measuredScript(t)
	w.in.Status.Install.Unmeasurable = 1
	w.later()
	w.expect("MeasureInstallation", "")
	w.in.Status.Install.Unmeasurable = 2
	w.settle()
	w.expect("KillInstallScript SaveInstallOutput RemoveInstallContainer", "Error")
	got := w.in.Status.Get(status.Installed)
	if got.Reason != status.ReasonInstallScriptFailed || !strings.Contains(got.Message, "too many files to be measured in time") {
		t.Errorf("%+v", got)
	}
	w = measuredScript(t)
	w.in.MaxInstallation, w.in.Status.Install.Unmeasurable = 0, 2
	w.settle()
	w.expect("", "")
}

// TestStepsAgainstAFullDisk need no record: the room for it may be what the installation has.
func TestStepsAgainstAFullDisk(t *testing.T) {
	over := status.Status{Install: status.Install{LayerExceeded: 1}}
	for _, kind := range []plan.Kind{plan.KillInstallScript, plan.SaveInstallOutput, plan.RemoveInstallContainer} {
		s := plan.Step{Kind: kind}
		if !s.AllowedUnrecorded(over) || s.AllowedUnrecorded(status.Status{}) {
			t.Errorf("%s without a record: %t, and %t within the bound", kind, s.AllowedUnrecorded(over), s.AllowedUnrecorded(status.Status{}))
		}
	}
}

// TestPlanHasNoMeasurement: it changes nothing, and one that is due delays nothing.
func TestPlanHasNoMeasurement(t *testing.T) {
	w := newScenario(t, script)
	w.in.MaxInstallation = 1
	whole := kinds(plan.Simulate(w.in))
	w = measuredScript(t)
	w.in.Now = w.in.Now.Add(time.Minute)
	running := kinds(plan.Simulate(w.in))
	w.in.Status.Install.LayerBytes = 11 << 30
	beyond := kinds(plan.Simulate(w.in))
	got := strings.Join([]string{whole, running, beyond}, "\n")
	want := `CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer
KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer
KillInstallScript SaveInstallOutput RemoveInstallContainer`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
