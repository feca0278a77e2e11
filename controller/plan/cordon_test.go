package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// cordon puts the node out of service; nil back into it. A drain has the turn at once.
func (w *scenario) cordon(c *desired.Cordon) {
	w.in.Node = plan.Node{Cordon: c, DrainTurn: c != nil && c.Drain}
}

func cordoned() *desired.Cordon { return &desired.Cordon{Reason: "kernel", Since: epoch, Parallel: 1} }

func drained() *desired.Cordon {
	c := cordoned()
	c.Drain = true
	return c
}

// TestCordonHoldsBackWhatBegins: of each row the cordon lets happen what ends something, and the rest waits with a
// reason until the node is uncordoned.
func TestCordonHoldsBackWhatBegins(t *testing.T) {
	for name, c := range map[string]struct {
		spec   func(*desired.Container)
		before func(*scenario)
		steps  string
		held   bool
		after  string
	}{
		"nothing to do": {steps: "", after: ""},
		"a crash":       {before: func(w *scenario) { w.die(w.in.Seen.Run, 1) }, held: true, after: "StartContainer"},
		"two crashes": {before: func(w *scenario) {
			w.die(w.in.Seen.Run, 1)
			w.settle()
			w.die(w.in.Seen.Run, 1)
			w.story()
		}, held: true, after: "StartContainer"},
		"a crash of what never starts again": {
			spec: func(c *desired.Container) { c.Restart = desired.RestartNever }, before: func(w *scenario) { w.die(w.in.Seen.Run, 1) }},
		"a restart": {before: func(w *scenario) { w.change(func(c *desired.Container) { c.Requests.Restart++ }) }, held: true, after: "StopContainer StartContainer"},
		"a stop":    {before: func(w *scenario) { w.change(func(c *desired.Container) { c.Power = desired.PowerStopped }) }, steps: "StopContainer"},
		"a kill": {before: func(w *scenario) {
			w.change(func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true })
		}, steps: "KillContainer"},
		"a reinstall": {before: func(w *scenario) { w.change(func(c *desired.Container) { c.Requests.Install++ }) }, held: true, after: "StopContainer RemoveContainer CreateContainer WriteEntrypoint StartContainer"},
		"a stop before a reinstall": {before: func(w *scenario) {
			w.change(func(c *desired.Container) { c.Power = desired.PowerStopped; c.Requests.Install++ })
		}, steps: "StopContainer", held: true, after: "RemoveContainer CreateContainer WriteEntrypoint"},
		"a recreation": {before: func(w *scenario) { w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} }) }, held: true,
			after: "CheckHost StopContainer RemoveContainer CreateContainer StartContainer"},
		"a stop before a recreation": {before: func(w *scenario) {
			w.change(func(c *desired.Container) { c.Env, c.Power = map[string]string{"A": "b"}, desired.PowerStopped })
		}, steps: "StopContainer", held: true, after: "CheckHost RemoveContainer CreateContainer"},
		"another limit":            {before: func(w *scenario) { w.change(func(c *desired.Container) { c.Limits.Memory = 64 << 20 }) }, held: true, after: "UpdateLimits"},
		"a container that is lost": {before: func(w *scenario) { w.in.Seen.Run = nil }, held: true, after: "CreateContainer StartContainer"},
		"an image that is missing": {before: func(w *scenario) { w.in.Seen.Run, w.in.Image.Present = nil, false }, held: true, after: "PullImage CreateContainer StartContainer"},
		"a pull that failed before": {before: func(w *scenario) {
			w.in.Seen.Run, w.in.Image = nil, observed.Image{Known: true, PullError: "no such image", PullFailedAt: w.in.Now}
		}, held: true, after: "PullImage CreateContainer StartContainer"},
		"a failed health check": {spec: func(c *desired.Container) { c.Health = &desired.Health{TCP: 80, OnFailure: desired.FailureRestart} },
			before: func(w *scenario) { w.in.Health = observed.Health{Known: true, Message: "refused"} }, held: true, after: "StopContainer StartContainer"},
		"a process frozen for long": {before: func(w *scenario) {
			w.in.Seen.Run.Phase = observed.Paused
			w.settle()
			w.in.Now = w.in.Now.Add(time.Hour)
		}, held: true, after: "UnpauseContainer"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, c.spec)
			w.cordon(cordoned())
			if c.before != nil {
				c.before(w)
			}
			d := w.settle()
			if got := strings.Join(w.steps, " "); got != c.steps {
				t.Errorf("steps %q, want %q", got, c.steps)
			}
			synced := d.Status.Get(status.Synced)
			if held := synced.Reason == status.ReasonNodeCordoned; held != c.held || held && !strings.Contains(synced.Message, "kernel") {
				t.Errorf("held back %t: %+v", held, synced)
			}
			if d.Status.State == status.StateBackOff || d.After > 0 || d.Attempt != (plan.Attempt{}) {
				t.Errorf("state %s, reconciled after %s, next attempt %v", d.Status.State, d.After, d.Attempt)
			}
			w.held(t)
			w.cordon(nil)
			w.in.Now = w.in.Now.Add(time.Minute)
			w.story()
			if w.in.Health.Known {
				w.decide()
				w.in.Health = observed.Health{Known: true, Healthy: false, Message: "refused"}
				d := w.decide()
				w.act(*d.Step)
				w.steps, w.in.Health = append(w.steps, string(d.Step.Kind)), observed.Health{}
			}
			w.settle()
			if got := strings.Join(w.steps, " "); got != c.after {
				t.Errorf("steps after the cordon %q, want %q", got, c.after)
			}
		})
	}
}

// held checks that a report of drift and a dry run tell the same as the decision: what is held back has no step, and
// is what the rest waits for.
func (w *scenario) held(t *testing.T) {
	t.Helper()
	reason := plan.Decide(w.in).Status.Get(status.Synced).Reason
	fields, _ := plan.Drift(w.in)
	s := plan.Simulate(w.in)
	if reason == status.ReasonSynced {
		if len(fields) > 0 || s.Waits != nil {
			t.Errorf("in sync, and %+v differ, %+v waits", fields, s.Waits)
		}
		return
	}
	if s.Waits == nil || s.Waits.Reason != reason || len(s.Steps) > 0 {
		t.Errorf("the dry run tells %+v of what is %s", s, reason)
	}
	if slices.ContainsFunc(fields, func(f plan.Field) bool { return f.Step != "" }) {
		t.Errorf("drift names a step: %+v", fields)
	}
}

// TestCordonDuringAnInstallation: nothing of it begins, and a script that runs is kept as ever; only the container of
// the program is not made.
func TestCordonDuringAnInstallation(t *testing.T) {
	w := newScenario(t, script)
	w.cordon(cordoned())
	w.settle()
	w.expect("", "")
	if c := w.in.Status.Get(status.Synced); c.Reason != status.ReasonNodeCordoned || w.in.Status.InstallState != status.Installing {
		t.Errorf("%+v, %s", c, w.in.Status.InstallState)
	}
	w.cordon(nil)
	w.exit = -1 // it runs on
	w.settle()
	w.expect("CreateInstallContainer StartInstallScript", "Started CreatingContainer ContainerCreated RunningInstallScript")
	w.cordon(cordoned())
	w.settle()
	w.expect("", "")
	w.die(w.in.Seen.Install, 0)
	w.settle()
	w.expect("KeepInstallation RemoveInstallContainer WriteEntrypoint", "InstallScriptComplete SettingUpEntrypoint")
	if c := w.in.Status.Get(status.Synced); c.Reason != status.ReasonNodeCordoned {
		t.Errorf("%+v", c)
	}
	w.cordon(nil)
	w.settle()
	w.expect("CreateContainer", "Ready")
}

// TestCordonKeepsTheBoundsOfAScript: one that hangs, frozen or not, is killed at its deadline though another installation is
// requested meanwhile; that begins when the node is uncordoned.
func TestCordonKeepsTheBoundsOfAScript(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		for _, requested := range []bool{false, true} {
			w := newScenario(t, script)
			w.exit = -1
			w.settle()
			w.story()
			w.cordon(drained())
			if requested {
				w.change(func(c *desired.Container) { c.Requests.Install++ })
			}
			want := "KillInstallScript"
			if frozen {
				w.in.Seen.Install.Phase, want = observed.Paused, "UnpauseContainer"
			}
			d := w.decide()
			if synced := d.Status.Get(status.Synced); d.Step != nil || d.After <= 0 || synced.Reason.HeldByNode() {
				t.Errorf("frozen %t, requested %t: step %+v, reconciled after %s, %+v", frozen, requested, d.Step, d.After, synced)
			}
			w.in.Now = w.in.Now.Add(w.in.InstallTimeout)
			if d = w.decide(); d.Step == nil || string(d.Step.Kind) != want {
				t.Errorf("frozen %t, requested %t, after the deadline: %+v, %+v", frozen, requested, d.Step, d.Status.Get(status.Synced))
				continue
			}
			w.settle()
			if got := w.decide().Status.Get(status.Synced); w.in.Seen.Install.Running() || requested != (got.Reason == status.ReasonNodeDrained) {
				t.Errorf("frozen %t, requested %t, in the end: %+v", frozen, requested, got)
			}
			w.held(t)
			w.story()
			w.cordon(nil)
			w.settle()
			if begun := slices.Contains(w.steps, "CreateInstallContainer"); begun != requested {
				t.Errorf("frozen %t, requested %t, in service: %v", frozen, requested, w.steps)
			}
		}
	}
}

// TestDrain: the process is stopped with its own settings in its turn, is no crash, and is started when the node is
// uncordoned, unless its policy has left it at rest before.
func TestDrain(t *testing.T) {
	for _, policy := range []desired.RestartPolicy{desired.RestartAlways, desired.RestartOnFailure, desired.RestartNever} {
		w := ready(t, func(c *desired.Container) { c.Restart, c.Stop.Signal = policy, "SIGINT" })
		w.cordon(drained())
		w.in.Node.DrainTurn = false
		d := w.settle()
		w.expect("", "")
		if synced := d.Status.Get(status.Synced); synced.Reason != status.ReasonNodeDrained || d.Status.State != status.StateRunning {
			t.Errorf("%s before its turn: %s, %+v", policy, d.Status.State, synced)
		}
		w.in.Node.DrainTurn = true
		d = w.decide()
		if r := d.Status.Stopping; d.Step == nil || d.Step.Kind != plan.StopContainer || r.Signal != "SIGINT" || r.Reason != "the node is drained" {
			t.Fatalf("%s: %+v, %+v", policy, d.Step, r)
		}
		w.act(*d.Step)
		d = w.settle()
		w.expect("", "Stopping Exited")
		started, synced := d.Status.Get(status.ProcessStarted), d.Status.Get(status.Synced)
		if started.Reason != status.ReasonNodeDrained || synced.Reason != status.ReasonNodeDrained || d.Status.Crashes+d.Status.Restarts > 0 {
			t.Errorf("%s: %+v, %+v, %d crashes", policy, started, synced, d.Status.Crashes)
		}
		w.held(t)
		w.cordon(nil)
		w.settle()
		w.expect("StartContainer", "Starting Running")
	}
	w := ready(t, func(c *desired.Container) { c.Restart = desired.RestartNever })
	w.die(w.in.Seen.Run, 0)
	w.settle()
	w.cordon(drained())
	w.settle()
	w.cordon(nil)
	w.story()
	w.settle()
	w.expect("", "")
}

// TestCordonLeavesOthersTheirSay: a deletion goes through, a paused container stays paused, and a start that was
// recorded and did not happen is given up.
func TestCordonLeavesOthersTheirSay(t *testing.T) {
	w := ready(t, nil)
	w.cordon(cordoned())
	w.change(func(c *desired.Container) { c.Deleting = true })
	var steps []string
	for d := w.decide(); d.Step.Kind != plan.Finalize; d = w.decide() {
		steps = append(steps, string(d.Step.Kind))
		w.act(*d.Step)
	}
	if got := strings.Join(steps, " "); got != "StopContainer RemoveContainer" {
		t.Errorf("a deletion takes %s", got)
	}
	w = ready(t, func(c *desired.Container) { c.Paused = false })
	w.change(func(c *desired.Container) { c.Paused = true })
	w.in.Node = plan.Node{Cordon: drained()}
	if d := w.settle(); d.Status.Get(status.Synced).Status != status.True || !w.in.Seen.Run.Running() {
		t.Errorf("paused: %+v", d.Status.Get(status.Synced))
	}
	w = newScenario(t, nil)
	w.settle()
	w.change(run)
	if d := w.decide(); d.Step.Kind != plan.StartContainer {
		t.Fatal(d.Step)
	}
	w.story()
	w.cordon(cordoned())
	d := w.settle()
	w.expect("", "Exited")
	if d.Status.State != status.StateOffline || d.Status.Starting != nil {
		t.Errorf("a start that was given up: %+v", d.Status.Process)
	}
}
