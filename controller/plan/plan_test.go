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

// ready returns a scenario with an installed container that runs.
func ready(t testing.TB, change func(*desired.Container)) *scenario {
	w := newScenario(t, change)
	w.change(run)
	w.settle()
	w.story()
	return w
}

func TestStart(t *testing.T) {
	w := newScenario(t, nil)
	w.settle()
	w.story()
	w.change(run)
	w.settle()
	w.expect("StartContainer", "Starting Running")
	if w.in.Status.State != status.StateRunning {
		t.Errorf("state %s", w.in.Status.State)
	}
}

func TestStartWithPatternWaitsForIt(t *testing.T) {
	w := newScenario(t, func(c *desired.Container) { c.StartPattern = "up" })
	w.settle()
	w.story()
	w.change(run)
	w.settle()
	w.expect("StartContainer", "Starting")
	if c := w.in.Status.Get(status.ProcessRunning); w.in.Status.State != status.StateStarting || c.Reason != status.ReasonWaitingForPattern {
		t.Errorf("state %s, %+v", w.in.Status.State, c)
	}
	w.in.Matched = true
	w.settle()
	w.expect("", "Running")
	w.in.Matched = false
	w.settle()
	w.expect("", "")
}

func TestStopKillRestart(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	w.settle()
	w.expect("StopContainer", "Stopping Exited")
	w.change(run)
	w.settle()
	w.expect("StartContainer", "Starting Running")
	w.change(func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true })
	w.settle()
	w.expect("KillContainer", "Stopping Exited")
	w.change(func(c *desired.Container) { c.Power, c.Kill = desired.PowerRunning, false; c.Requests.Restart++ })
	w.settle()
	w.expect("StartContainer", "Starting Running")
	w.change(func(c *desired.Container) { c.Requests.Restart++ })
	w.settle()
	w.expect("StopContainer StartContainer", "Stopping Exited Starting Running")
	if w.in.Status.Restarts != 0 {
		t.Errorf("%d requested restarts counted", w.in.Status.Restarts)
	}
}

// TestRestartsMerge requests one more at each point of a restart in progress: what was requested
// before the start is answered by it, what was requested later needs another.
func TestRestartsMerge(t *testing.T) {
	again := func(c *desired.Container) { c.Requests.Restart++ }
	w := ready(t, nil)
	w.change(again)
	w.act(*w.decide().Step) // the stop
	w.change(again)
	start := w.decide().Step // the start is recorded,
	w.change(again)          // then requested again
	w.act(*start)
	w.story()
	w.settle()
	w.expect("StopContainer StartContainer", "Running Stopping Exited Starting Running")
}

func TestStopEscalates(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	if d := w.decide(); d.Step.Kind != plan.StopContainer {
		t.Fatalf("got %s", d.Step.Kind)
	}
	w.in.Status.Stopping.Sent = true
	if d := w.decide(); d.Step != nil || d.After != 10*time.Second {
		t.Fatalf("got %+v after %s", d.Step, d.After)
	}
	// A kill on top of a stop does not wait for the grace.
	killed := *w
	killed.change(func(c *desired.Container) { c.Kill = true })
	if d := killed.decide(); d.Step == nil || d.Step.Kind != plan.KillContainer {
		t.Fatalf("got %+v", d.Step)
	}
	w.in.Now = w.in.Now.Add(10 * time.Second)
	w.story()
	w.settle()
	w.expect("KillContainer", "Stopping Exited")
}

// TestStartDuringStop: the stop in progress is brought to its end, and then started.
func TestStartDuringStop(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	w.decide()
	w.in.Status.Stopping.Sent = true
	w.change(run)
	if d := w.decide(); d.Step != nil || d.After == 0 {
		t.Fatalf("got %+v", d.Step)
	}
	w.die(w.in.Seen.Run, 143)
	w.story()
	w.settle()
	w.expect("StartContainer", "Exited Starting Running")
}

func TestCrashLoop(t *testing.T) {
	w := ready(t, nil)
	since := w.in.Now
	for i, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		want = min(want*time.Second, 5*time.Minute*10/11) // longer by jitter, there is none here
		w.die(w.in.Seen.Run, 1)
		d := w.decide()
		if want == 0 {
			if d.Step == nil || d.Step.Kind != plan.StartContainer {
				t.Fatalf("crash %d: the first restart is immediate, got %+v", i, d.Step)
			}
			w.act(*d.Step)
			continue
		}
		if d.Step != nil || d.After != want || d.Status.State != status.StateBackOff {
			t.Fatalf("crash %d: got %+v after %s in %s", i, d.Step, d.After, d.Status.State)
		}
		w.in.Now = w.in.Now.Add(d.After)
		w.settle()
	}
	if w.in.Status.Restarts != 12 || !w.in.Status.CrashingSince.Equal(since) {
		t.Errorf("%d restarts since %s, want since %s", w.in.Status.Restarts, w.in.Status.CrashingSince, since)
	}
	w.in.Now = w.in.Now.Add(10 * time.Minute)
	w.die(w.in.Seen.Run, 1)
	if d := w.decide(); d.Step == nil || !d.Status.CrashingSince.Equal(w.in.Now) {
		t.Error("ten minutes of running did not clear the count")
	}
}

func TestStartEndsABackoff(t *testing.T) {
	w := ready(t, nil)
	for range 3 {
		w.die(w.in.Seen.Run, 1)
		if d := w.settle(); d.After > 0 && w.in.Status.Crashes < 3 {
			w.in.Now = w.in.Now.Add(d.After)
			w.settle()
		}
	}
	if w.in.Status.State != status.StateBackOff {
		t.Fatalf("state %s", w.in.Status.State)
	}
	w.story()
	w.change(run)
	w.settle()
	w.expect("StartContainer", "Starting Running")
}

func TestRestartPolicies(t *testing.T) {
	for _, c := range []struct {
		policy desired.RestartPolicy
		code   int
		steps  string
	}{
		{desired.RestartAlways, 0, "StartContainer"},
		{desired.RestartAlways, 1, "StartContainer"},
		{desired.RestartOnFailure, 0, ""},
		{desired.RestartOnFailure, 1, "StartContainer"},
		{desired.RestartNever, 0, ""},
		{desired.RestartNever, 1, ""},
	} {
		w := ready(t, func(s *desired.Container) { s.Restart = c.policy })
		w.die(w.in.Seen.Run, c.code)
		w.settle()
		events := "Exited"
		if c.steps != "" {
			events += " Starting Running"
		}
		w.expect(c.steps, events)
		if c.steps == "" {
			w.change(run)
			w.settle()
			w.expect("StartContainer", "Starting Running")
		}
	}
}

func TestEndsWhileTheEngineWasUnreachableAreNoCrashes(t *testing.T) {
	for _, policy := range []desired.RestartPolicy{desired.RestartAlways, desired.RestartOnFailure, desired.RestartNever} {
		w := ready(t, func(c *desired.Container) { c.Restart = policy })
		w.die(w.in.Seen.Run, 137)
		w.in.Now = w.in.Now.Add(time.Minute)
		w.in.Seen.Run.Unwatched = true
		w.settle()
		w.expect("StartContainer", "Exited Starting Running")
		if w.in.Status.Crashes != 0 {
			t.Errorf("%s: %d crashes", policy, w.in.Status.Crashes)
		}
	}
	// A program that handles SIGTERM ends with exit code 0 where the machine is shut down.
	w := ready(t, func(c *desired.Container) { c.Restart = desired.RestartOnFailure })
	w.die(w.in.Seen.Run, 0)
	w.in.Seen.Run.Unwatched = true
	w.settle()
	w.expect("StartContainer", "Exited Starting Running")
}

// TestEndsThatWereRequestedOutside of Lightd are none of the program's own, whatever their exit code.
func TestEndsThatWereRequestedOutside(t *testing.T) {
	for _, late := range []bool{false, true} {
		for policy, steps := range map[desired.RestartPolicy]string{
			desired.RestartAlways: "StartContainer", desired.RestartOnFailure: "StartContainer", desired.RestartNever: "",
		} {
			w := ready(t, func(c *desired.Container) { c.Restart = policy })
			w.die(w.in.Seen.Run, 0)
			if late {
				w.decide() // the engine reports a stop after the end
			}
			w.in.Seen.Run.EndRequested = true
			w.settle()
			if events := map[bool]string{true: "Exited Starting Running", false: "Exited"}[steps != ""]; !late || steps == "" || policy == desired.RestartOnFailure {
				w.expect(steps, events)
			}
			if want := map[bool]int{true: 1, false: 0}[steps != ""]; w.in.Status.Restarts != want {
				t.Errorf("%s, late %v: %d restarts, want %d", policy, late, w.in.Status.Restarts, want)
			}
		}
	}
}

func TestUnreachableEngineDecidesNothing(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) { c.Deleting = true })
	w.in.Seen.EngineUp = false
	if d := w.decide(); d.Step != nil || len(d.Events) != 0 {
		t.Errorf("got %+v, %v", d.Step, d.Events)
	}
}

func TestRebindChecksThenReplaces(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) {
		c.Ports = []desired.Port{{Port: 25566}}
		c.Releasing = []desired.Port{{IP: "0.0.0.0", Port: 25565, Protocol: desired.TCP}}
	})
	w.settle()
	w.expect("CheckHost StopContainer RemoveContainer CreateContainer ReleasePorts StartContainer",
		"RebindStarted Stopping Exited RemovingOldContainer Starting Running")
}

func TestReplaceWaitsForABusyPortWithTheOldContainerUntouched(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) { c.Ports = []desired.Port{{Port: 25566}} })
	if d := w.decide(); d.Step.Kind != plan.CheckHost {
		t.Fatalf("got %s", d.Step.Kind)
	}
	var d plan.Decision
	for i, delay := range []time.Duration{1, 2, 4, 8, 15, 15} {
		w.in.Host = plan.HostCheck{Hash: w.in.Spec.Hash("img"), At: w.in.Now, Reason: status.ReasonPortUnavailable, Message: "busy", Failures: i + 1}
		d = w.decide()
		if d.Step != nil || d.After != delay*time.Second || d.Status.Get(status.Synced).Message != "busy" || !w.in.Seen.Run.Running() {
			t.Errorf("check %d: got %+v after %s, want %d s: %+v", i+1, d.Step, d.After, delay, d.Status.Get(status.Synced))
		}
	}
	if d.Status.ObservedGeneration == w.in.Spec.Generation {
		t.Error("the generation of what waits was observed")
	}
}

func TestLimits(t *testing.T) {
	w := ready(t, func(c *desired.Container) { c.Limits.Memory = 64 << 20 })
	w.change(func(c *desired.Container) { c.Limits.Memory, c.Limits.CPU = 128<<20, 0.5 })
	w.settle()
	w.expect("UpdateLimits", "")
	w.change(func(c *desired.Container) { c.Limits.Memory = 0 })
	w.settle()
	w.expect("CheckHost StopContainer RemoveContainer CreateContainer StartContainer", "Stopping Exited RemovingOldContainer Starting Running")
}

func TestDisturbancesAreHealed(t *testing.T) {
	for name, c := range map[string]struct {
		disturb       func(*scenario)
		steps, events string
	}{
		"killed":  {func(w *scenario) { w.die(w.in.Seen.Run, 137) }, "StartContainer", "Exited Starting Running"},
		"removed": {func(w *scenario) { w.in.Seen.Run = nil }, "CreateContainer StartContainer", "Exited ContainerLost Starting Running"},
		"paused": {func(w *scenario) {
			w.in.Seen.Run.Phase = observed.Paused
			w.decide()
			w.in.Now = w.in.Now.Add(plan.PauseGrace)
		}, "UnpauseContainer", "DriftDetected"},
		"limits":  {func(w *scenario) { w.in.Seen.Run.Limits.PIDs = 1 }, "UpdateLimits", "DriftDetected"},
		"entry":   {func(w *scenario) { w.in.EntrypointOK = false }, "WriteEntrypoint", "DriftDetected"},
		"renamed": {func(w *scenario) { w.in.Seen.Run.Name = "other" }, "RenameContainer", "DriftDetected"},
		"disconnected": {func(w *scenario) { w.in.Seen.Run.Networks = nil },
			"CheckHost StopContainer RemoveContainer CreateContainer StartContainer",
			"DriftDetected Stopping Exited RemovingOldContainer Starting Running"},
		"restarted by hand": {func(w *scenario) { w.in.Now = w.in.Now.Add(time.Second); w.start(w.in.Seen.Run) }, "",
			"Exited Starting Running"},
		"recreated by hand": {func(w *scenario) {
			w.in.Seen.Run = w.create(observed.RoleRun, "other")
		}, "CheckHost RemoveContainer CreateContainer StartContainer", "Exited ContainerLost DriftDetected RemovingOldContainer Starting Running"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, nil)
			c.disturb(w)
			w.settle()
			w.expect(c.steps, c.events)
		})
	}
}

func TestStartedByHandIsStopped(t *testing.T) {
	w := newScenario(t, nil)
	w.settle()
	w.story()
	w.start(w.in.Seen.Run)
	w.settle()
	w.expect("StopContainer", "Starting Running DriftDetected Stopping Exited")
}

func TestMovedTagIsFollowedOnlyByItsPolicy(t *testing.T) {
	for _, c := range []struct {
		policy desired.ImagePolicy
		script string
		steps  string
	}{
		{desired.ImagePinned, "", ""},
		{desired.ImageFollow, "", "CheckHost StopContainer RemoveContainer CreateContainer StartContainer"},
		{desired.ImageFollow, "true", ""},
	} {
		w := ready(t, func(s *desired.Container) { s.ImagePolicy, s.InstallScript = c.policy, c.script })
		w.in.Image.ImageID = "sha256:new"
		w.settle()
		if got := strings.Join(w.steps, " "); got != c.steps {
			t.Errorf("%s, script %q: got %q", c.policy, c.script, got)
		}
	}
}

// TestRemovalByForceIsNoCrash: Docker kills first, and reports the removal later.
func TestRemovalByForceIsNoCrash(t *testing.T) {
	w := ready(t, nil)
	for range 3 {
		w.die(w.in.Seen.Run, 137)
		w.decide()
		w.in.Seen.Run = nil
		w.settle()
	}
	if !w.in.Seen.Run.Running() || w.in.Status.Crashes != 0 {
		t.Errorf("%d crashes, up: %v", w.in.Status.Crashes, w.in.Seen.Run.Running())
	}
}

func TestDelete(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) { c.Deleting = true })
	for _, want := range []plan.Kind{plan.StopContainer, plan.RemoveContainer, plan.Finalize} {
		d := w.decide()
		if d.Step == nil || d.Step.Kind != want {
			t.Fatalf("got %+v, want %s", d.Step, want)
		}
		if want != plan.Finalize {
			w.act(*d.Step)
		}
	}
	w.expect("", "Deleting Stopping Exited")
}

// TestSuspendedIsStoppedAndComesBack: a suspension stops the process, keeps it down whoever starts it, lets
// installations go on, and leaves the power as it was for its end.
func TestSuspendedIsStoppedAndComesBack(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) { run(c); c.Restart = desired.RestartNever })
	w.settle()
	first := w.in.Seen.Run.ContainerID
	suspended := func(on bool) { w.change(func(c *desired.Container) { c.Suspended = on }) }
	suspended(true)
	d := w.settle()
	if w.in.Seen.Run.Running() || w.in.Spec.Power != desired.PowerRunning || d.Status.Get(status.Synced).Status != status.True {
		t.Fatalf("running %v, power %s, %+v", w.in.Seen.Run.Running(), w.in.Spec.Power, d.Status.Get(status.Synced))
	}
	for _, condition := range []status.ConditionType{status.ProcessStarted, status.ProcessRunning} {
		if c := d.Status.Get(condition); c.Status != status.False || c.Reason != status.ReasonSuspended {
			t.Errorf("got %+v", c)
		}
	}
	w.start(w.in.Seen.Run)
	w.settle()
	if w.in.Seen.Run.Running() {
		t.Error("what somebody else started goes on")
	}
	suspended(false)
	w.settle()
	if !w.in.Seen.Run.Running() || w.in.Seen.Run.ContainerID != first {
		t.Errorf("got %+v", w.in.Seen.Run)
	}
	suspended(true)
	w.change(func(c *desired.Container) { c.InstallScript = "true"; c.Requests.Install++ })
	if d = w.settle(); d.Status.Install.Phase != status.InstallDone || w.in.Seen.Run.Running() {
		t.Errorf("a reinstall: %+v, running %v", d.Status.Install, w.in.Seen.Run.Running())
	}
	w.expect("StopContainer StopContainer StartContainer StopContainer RemoveContainer CreateInstallContainer StartInstallScript KeepInstallation RemoveInstallContainer WriteEntrypoint CreateContainer", "Suspended Stopping Exited Starting Running DriftDetected Stopping Exited Unsuspended Starting Running Suspended ReinstallStarted "+
		"Started Stopping Exited RemovingOldContainer CreatingContainer ContainerCreated RunningInstallScript InstallScriptComplete SettingUpEntrypoint Ready")
}

func TestPausedSpecTouchesNothingAndReportsDrift(t *testing.T) {
	w := ready(t, nil)
	w.change(func(c *desired.Container) { c.Paused = true })
	if d := w.settle(); d.Status.Get(status.Synced).Status != status.True {
		t.Errorf("in sync, and the condition is %+v", d.Status.Get(status.Synced))
	}
	w.die(w.in.Seen.Run, 1)
	d := w.settle()
	if c := d.Status.Get(status.Synced); c.Reason != status.ReasonPaused || d.Status.ObservedGeneration != w.in.Spec.Generation {
		t.Errorf("got %+v", c)
	}
	w.expect("", "Exited")
}

func TestTerminalRefusalWaitsForTheSpec(t *testing.T) {
	w := ready(t, nil)
	w.in.Status.FailedGeneration, w.in.Status.FailedBy, w.in.Status.InstallState = w.in.Spec.Generation, status.FailedBySpec, status.Failed
	w.in.Seen.Run = nil
	w.settle()
	w.expect("", "Exited ContainerLost")
	w.change(func(c *desired.Container) { c.User = "1000" })
	w.settle()
	w.expect("CreateContainer StartContainer", "Starting Running")
	if w.in.Status.InstallState != status.Ready {
		t.Errorf("state %s", w.in.Status.InstallState)
	}
}

func TestBackoffIsBounded(t *testing.T) {
	for n := range 100 {
		for _, jitter := range []float64{0, 0.5, 0.999} {
			if d := plan.Backoff(n, jitter); d < 0 || d > 5*time.Minute || n > 12 && d < 4*time.Minute {
				t.Errorf("backoff %d with jitter %g is %s", n, jitter, d)
			}
		}
	}
}
