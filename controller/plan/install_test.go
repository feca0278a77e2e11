package plan_test

import (
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

func TestInstallWithScriptEmitsItsEventsInOrder(t *testing.T) {
	w := newScenario(t, script)
	w.settle()
	w.expect("CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer",
		"Started CreatingContainer ContainerCreated RunningInstallScript InstallScriptComplete SettingUpEntrypoint Ready")
	if w.in.Status.InstallState != status.Ready || w.in.Seen.Run.Image != "kept:1" {
		t.Errorf("got %s on %s", w.in.Status.InstallState, w.in.Seen.Run.Image)
	}
}

func TestInstallWithoutScript(t *testing.T) {
	w := newScenario(t, nil)
	w.settle()
	w.expect("CreateContainer WriteEntrypoint", "Started CreatingContainer ContainerCreated SettingUpEntrypoint Ready")
}

// TestProgressIsThatOfTheStepUnderWay: what is seen then is from before it, and what the plan
// would do about that is not what happens.
func TestProgressIsThatOfTheStepUnderWay(t *testing.T) {
	w := newScenario(t, script)
	w.in.Spec.Power = desired.PowerRunning
	for range 20 {
		d := w.decide()
		if d.Step == nil {
			break
		}
		before := w.in.Status.Get(status.Synced)
		w.in.Underway = true
		now := plan.Observe(w.in).Status.Get(status.Synced)
		w.in.Underway = false
		if want := string(d.Step.Kind) + ": " + d.Step.Reason; now != before || now.Message != want {
			t.Errorf("%q became %q while the step %q runs", before.Message, now.Message, want)
		}
		w.steps = append(w.steps, string(d.Step.Kind))
		w.act(*d.Step)
	}
	if got := strings.Join(w.steps, " "); !strings.Contains(got, "StartInstallScript KeepInstallation") || !strings.Contains(got, "StartContainer") {
		t.Errorf("the steps were %s", got)
	}
}

// TestScriptThatChangesBeforeItsInstallationHasMadeAnything is the one that counts.
func TestScriptThatChangesBeforeItsInstallationHasMadeAnything(t *testing.T) {
	const with, without = "CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer",
		"CreateContainer WriteEntrypoint"
	for name, c := range map[string]struct{ before, after, steps string }{
		"removed": {"true", "", without}, "given": {"", "true", with},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, func(spec *desired.Container) { spec.InstallScript = c.before })
			w.in.Image = observed.Image{Known: true, PullError: "no", PullFailedAt: w.in.Now}
			w.settle()
			w.change(func(spec *desired.Container) { spec.InstallScript, spec.Image = c.after, "other" })
			w.in.Image = observed.Image{Known: true, Present: true}
			w.story()
			w.settle()
			if got := strings.Join(w.steps, " "); got != c.steps || w.in.Status.Install.Image != "other" {
				t.Errorf("on %s: %s", w.in.Status.Install.Image, got)
			}
		})
	}
}

func TestScriptOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		code   int
		oom    bool
		reason status.Reason
	}{
		"its own code":             {1, false, status.ReasonInstallScriptFailed},
		"out of memory":            {137, true, status.ReasonInstallScriptFailed},
		"cut off by the engine":    {137, false, status.ReasonInstallInterrupted},
		"cut off, end not seen":    {255, false, status.ReasonInstallInterrupted},
		"an engine's soft stop":    {143, false, status.ReasonInstallInterrupted},
		"command could not be run": {127, false, status.ReasonInstallScriptFailed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, script)
			w.in.Spec.Power = desired.PowerRunning
			w.exit = c.code
			for w.in.Seen.Install == nil || w.in.Seen.Install.Phase != observed.Exited {
				w.act(*w.decide().Step)
			}
			w.in.Seen.Install.OOMKilled = c.oom
			w.story()
			// The output is kept before the failure is recorded.
			w.act(*w.decide().Step)
			w.expect("", "")
			w.settle()
			events := "Error"
			if c.oom {
				events += " OOMKilled"
			}
			w.expect("RemoveInstallContainer", events)
			st := w.in.Status
			if st.InstallState != status.Failed || st.Get(status.Installed).Reason != c.reason || st.ObservedGeneration != 1 {
				t.Errorf("got %s, %+v", st.InstallState, st.Get(status.Installed))
			}
		})
	}
}

func TestScriptThatVanishedIsNotRunAgain(t *testing.T) {
	w := newScenario(t, script)
	w.exit = -1
	for w.in.Seen.Install == nil || !w.in.Seen.Install.Running() {
		w.act(*w.decide().Step)
	}
	w.in.Seen.Install = nil
	w.story()
	w.settle()
	w.expect("", "Error")
	if r := w.in.Status.Get(status.Installed).Reason; r != status.ReasonInstallInterrupted {
		t.Errorf("got %s", r)
	}
}

func TestScriptWhoseStartWasOnlyRecordedIsStarted(t *testing.T) {
	w := newScenario(t, script)
	for w.in.Status.Install.Phase != status.InstallScript {
		d := w.decide()
		if d.Step.Kind != plan.StartInstallScript {
			w.act(*d.Step)
		}
	}
	w.story()
	w.settle()
	w.expect("StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer",
		"InstallScriptComplete SettingUpEntrypoint Ready")
}

// TestScriptThatStartsLateHasItsTime: the daemon was down between the record of the start and
// the start for longer than a script may take.
func TestScriptThatStartsLateHasItsTime(t *testing.T) {
	w := newScenario(t, script)
	w.exit = -1
	for w.in.Status.Install.Phase != status.InstallScript {
		d := w.decide()
		if d.Step.Kind != plan.StartInstallScript {
			w.act(*d.Step)
		}
	}
	w.story()
	w.in.Now = w.in.Now.Add(time.Hour)
	d := w.settle()
	w.expect("StartInstallScript", "")
	if d.After < 9*time.Minute || d.After > 10*time.Minute {
		t.Errorf("reconciled again after %s", d.After)
	}
}

func TestScriptOverItsDeadline(t *testing.T) {
	w := newScenario(t, script)
	w.exit = -1
	d := w.settle()
	if d.After != 10*time.Minute-time.Second-10*time.Millisecond {
		t.Errorf("reconciled again after %s", d.After)
	}
	w.in.Now = w.in.Now.Add(d.After)
	w.story()
	w.settle()
	w.expect("KillInstallScript SaveInstallOutput RemoveInstallContainer", "Error")
	if r := w.in.Status.Get(status.Installed).Reason; r != status.ReasonInstallTimeout {
		t.Errorf("got %s", r)
	}
}

func TestReinstallKeepsTheNumberAndStartsOver(t *testing.T) {
	w := ready(t, script)
	w.change(func(c *desired.Container) { c.Requests.Install++ })
	w.settle()
	w.expect("StopContainer RemoveContainer CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer StartContainer",
		"ReinstallStarted Started Stopping Exited RemovingOldContainer CreatingContainer ContainerCreated RunningInstallScript InstallScriptComplete SettingUpEntrypoint Ready Starting Running")
}

func TestDeleteEndsAnInstallation(t *testing.T) {
	w := newScenario(t, script)
	w.exit = -1
	w.settle()
	w.change(func(c *desired.Container) { c.Deleting = true })
	w.story()
	d := w.decide()
	if d.Step == nil || d.Step.Kind != plan.RemoveInstallContainer {
		t.Fatalf("got %+v", d.Step)
	}
	w.act(*d.Step)
	w.decide()
	w.expect("", "Deleting") // no Error: it did not fail
}

// TestHowAScriptEndedIsReported where its exit code alone does not show it.
func TestHowAScriptEndedIsReported(t *testing.T) {
	for name, c := range map[string]struct {
		code    int
		oom     bool
		missing string
		want    []string
	}{
		"a child killed for memory": {0, true, "", []string{
			"OOMKilled the kernel killed a process of the install script for its memory limit",
			"InstallScriptComplete after 1s; a process of it was killed for its memory limit"}},
		"the script killed for memory": {137, true, "", []string{
			"Error the install script ran out of memory",
			"OOMKilled the kernel killed a process of the install script for its memory limit"}},
		"no interpreter": {127, false, "/bin/bash", []string{"Error the install script's interpreter /bin/bash is not in the image"}},
		"another reason": {127, false, "", []string{"Error the install script ended with exit code 127"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, script)
			w.exit = -1
			w.settle()
			w.in.Now = w.in.Now.Add(time.Second - w.in.Now.Sub(w.in.Seen.Install.StartedAt))
			w.die(w.in.Seen.Install, c.code)
			w.in.Seen.Install.OOMKilled = c.oom
			w.in.Status.Install.OutputSaved, w.in.Status.Install.MissingInterpreter = true, c.missing
			var emitted []string
			for _, e := range plan.Decide(w.in).Events {
				emitted = append(emitted, string(e.Type)+" "+e.Message)
			}
			got := strings.Join(emitted, "\n")
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("reported %q, want %q", got, want)
				}
			}
		})
	}
}

// TestKillOfAScriptsChildReportedLate is reported once, whatever became of the script meanwhile.
func TestKillOfAScriptsChildReportedLate(t *testing.T) {
	for name, code := range map[string]int{"it ended well": 0, "it failed": 1, "it was killed": 137} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, script)
			w.exit = -1
			w.settle()
			w.die(w.in.Seen.Install, code)
			w.in.Status.Install.OutputSaved = true
			w.decide()
			w.in.Seen.Install.OOMKilled = true
			var reported int
			for range 3 {
				d := plan.Decide(w.in)
				for _, e := range d.Events {
					if e.Type == journal.OOMKilled {
						reported++
					}
				}
				w.in.Status = d.Status
			}
			if reported != 1 {
				t.Errorf("reported %d times, want once", reported)
			}
			if got := w.in.Status.Get(status.Installed); code != 0 && got.Reason != status.ReasonInstallScriptFailed {
				t.Errorf("condition %+v", got)
			}
		})
	}
}
