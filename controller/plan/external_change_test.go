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

func TestForeignContainerWithOurNameIsNotTouched(t *testing.T) {
	for name, c := range map[string]struct {
		other   observed.Foreign
		message string
	}{
		"not of Lightd":       {observed.Foreign{ContainerID: "0123456789abcdef"}, "container 0123456789ab, which is not ours"},
		"of another instance": {observed.Foreign{ContainerID: "0123456789abcdef", Instance: "lost"}, "another Lightd instance, lost:"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, nil)
			w.in.Seen.Run, w.in.Seen.RunNameTaken = nil, &c.other
			d := w.settle()
			synced := d.Status.Get(status.Synced)
			if synced.Reason != status.ReasonNameTaken || d.After != 15*time.Second || !strings.Contains(synced.Message, c.message) {
				t.Errorf("got %+v after %s", synced, d.After)
			}
		})
	}
}

// snapshotLost is an installed container whose snapshot the engine does not have by its name.
func snapshotLost(t *testing.T) *scenario {
	w := ready(t, script)
	w.in.Snapshot.Present = false
	return w
}

// TestSnapshotThatLostItsName: as long as the container holds the image it gets the name
// back, else the container stays as it is while it can.
func TestSnapshotThatLostItsName(t *testing.T) {
	t.Run("the image is there", func(t *testing.T) {
		w := snapshotLost(t)
		w.in.RunImage = observed.Image{Known: true, Present: true}
		w.settle()
		w.expect("RestoreSnapshot", "DriftDetected")
	})
	t.Run("whether the image is there is not known", func(t *testing.T) {
		w := snapshotLost(t)
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		if d := w.settle(); d.Status.Get(status.Synced).Reason != status.ReasonProgressing {
			t.Errorf("got %+v", d.Status.Get(status.Synced))
		}
		w.expect("", "")
	})
	t.Run("the image is gone, the container fits", func(t *testing.T) {
		w := snapshotLost(t)
		w.in.RunImage.Known = true
		w.die(w.in.Seen.Run, 1)
		d := w.settle()
		if c := d.Status.Get(status.Synced); c.Status != status.False || c.Reason != status.ReasonInstallLost {
			t.Errorf("got %+v", c)
		}
		if d.Status.ObservedGeneration != w.in.Spec.Generation {
			t.Error("a wait for this generation never ends")
		}
		w.expect("StartContainer", "Exited Starting Running Blocked")
	})
}

// TestLostSnapshotIsLoadedFromItsCopy whether its container exists or not.
func TestLostSnapshotIsLoadedFromItsCopy(t *testing.T) {
	for name, gone := range map[string]func(*scenario){
		"the image is gone, its copy is there, the container fits": func(w *scenario) { w.in.RunImage.Known = true },
		"the image and the container are gone, the copy is there":  func(w *scenario) { w.in.Seen.Run = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := snapshotLost(t)
			gone(w)
			w.in.Copy.Present = true
			if d := w.settle(); d.Status.Get(status.Synced).Status != status.True {
				t.Errorf("got %+v", d.Status.Get(status.Synced))
			}
			if got := w.story(); !strings.HasPrefix(got, "steps:  LoadSnapshot") {
				t.Errorf("steps: %s", got)
			}
		})
	}
}

// TestLostSnapshotWithoutACopy: a recreation waits for the image, or for a requested reinstall.
func TestLostSnapshotWithoutACopy(t *testing.T) {
	for name, recreate := range map[string]func(*scenario){
		"the image is gone, the container does not fit": func(w *scenario) {
			w.in.RunImage.Known = true
			w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		},
		"the image and the container are gone": func(w *scenario) { w.in.Seen.Run = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := snapshotLost(t)
			recreate(w)
			d := w.settle()
			synced := d.Status.Get(status.Synced)
			if synced.Reason != status.ReasonInstallLost || !strings.Contains(synced.Message, "kept:1") {
				t.Errorf("got %+v", synced)
			}
			if d.Status.ObservedGeneration != w.in.Spec.Generation {
				t.Error("a wait for this generation never ends")
			}
			if len(w.steps) > 0 {
				t.Errorf("steps %v", w.steps)
			}
			w.in.Snapshot.Present = true // loaded outside of Lightd
			w.settle()
			if w.in.Seen.Run == nil || w.in.Seen.Run.Image != "kept:1" || w.in.Status.Get(status.Synced).Status != status.True {
				t.Errorf("got %+v", w.in.Seen.Run)
			}
			w.in.Snapshot.Present, w.in.Seen.Run = false, nil
			w.settle()
			w.story()
			w.change(func(c *desired.Container) { c.Requests.Install++ })
			w.settle()
			if !strings.Contains(w.story(), "StartInstallScript KeepInstallation") {
				t.Error("a requested reinstall did not happen")
			}
		})
	}
}

// TestDirectoriesThatMoved are mounted from where they are now.
func TestDirectoriesThatMoved(t *testing.T) {
	w := ready(t, nil)
	w.in.HostPaths.Volume = "/elsewhere"
	w.settle()
	w.expect("CheckHost StopContainer RemoveContainer CreateContainer StartContainer",
		"DriftDetected Stopping Exited RemovingOldContainer Starting Running")
}

// TestEngineThatEndsContainersOnItsWayDown: it reports their ends as if they were crashes.
func TestEngineThatEndsContainersOnItsWayDown(t *testing.T) {
	down := func(w *scenario, code int, later time.Duration) {
		w.die(w.in.Seen.Run, code)
		w.decide() // it is recorded at once, and a start comes too late
		w.in.Now = w.in.Now.Add(later)
		w.in.Seen.EngineLost = w.in.Now
		w.in.Now = w.in.Now.Add(time.Minute)
	}
	for _, policy := range []desired.RestartPolicy{desired.RestartAlways, desired.RestartOnFailure, desired.RestartNever} {
		t.Run(string(policy), func(t *testing.T) {
			w := ready(t, func(c *desired.Container) { c.Restart = policy })
			for range 6 {
				down(w, 143, 2*time.Second)
				w.settle()
				w.expect("StartContainer", "Exited Starting Running")
				if w.in.Status.Crashes != 0 {
					t.Fatalf("%d crashes", w.in.Status.Crashes)
				}
			}
		})
	}
	t.Run("a program that handles SIGTERM", func(t *testing.T) {
		w := ready(t, func(c *desired.Container) { c.Restart = desired.RestartOnFailure })
		down(w, 0, 2*time.Second)
		w.settle()
		w.expect("StartContainer", "Exited Starting Running")
	})
	t.Run("a program that was ended in the console, long before", func(t *testing.T) {
		w := ready(t, func(c *desired.Container) { c.Restart = desired.RestartOnFailure })
		down(w, 0, time.Minute)
		w.settle()
		w.expect("", "Exited")
	})
	t.Run("what came before counts", func(t *testing.T) {
		w := ready(t, nil)
		w.die(w.in.Seen.Run, 1)
		w.settle()
		w.in.Now = w.in.Now.Add(time.Minute)
		down(w, 143, time.Second)
		w.settle()
		if w.in.Status.Crashes != 1 {
			t.Errorf("%d crashes, want 1", w.in.Status.Crashes)
		}
	})
	t.Run("long before it went", func(t *testing.T) {
		w := ready(t, nil)
		down(w, 143, time.Minute)
		w.settle()
		if w.in.Status.Crashes != 1 {
			t.Errorf("%d crashes, want 1", w.in.Status.Crashes)
		}
	})
	t.Run("a program that was done", func(t *testing.T) {
		w := ready(t, func(c *desired.Container) { c.Restart = desired.RestartNever })
		down(w, 0, time.Second)
		w.settle()
		w.expect("", "Exited")
	})
}

// TestClockThatWasSet while the daemon was down is what the times that it recorded are read
// by. Nothing waits longer for it than it would have, and nothing waits for ever.
func TestClockThatWasSet(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(w *scenario) // brings it to a wait
		most  time.Duration     // how long that may take at most
		step  plan.Kind
	}{
		"backoff": {func(w *scenario) {
			for range 3 {
				w.die(w.in.Seen.Run, 1)
				w.settle()
				w.in.Now = w.in.Now.Add(5 * time.Second)
			}
			w.settle()
			w.die(w.in.Seen.Run, 1)
			w.decide()
		}, 5 * time.Second, plan.StartContainer},
		"grace of a stop": {func(w *scenario) {
			w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
			w.decide()
			w.in.Status.Stopping.Sent = true
			w.decide()
		}, 10 * time.Second, plan.KillContainer},
		"a SIGKILL that did not end it": {func(w *scenario) {
			w.change(func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true })
			w.decide()
			w.in.Status.Stopping.KilledAt = w.in.Now
			w.decide()
		}, 10 * time.Second, plan.KillContainer},
		"an install script": {func(w *scenario) {
			w.exit = -1
			w.change(func(c *desired.Container) { c.InstallScript = "sleep"; c.Requests.Install++ })
			w.settle()
		}, 10 * time.Minute, plan.KillInstallScript},
	} {
		for _, jump := range []time.Duration{time.Hour, -time.Hour} {
			t.Run(name+" "+jump.String(), func(t *testing.T) {
				w := ready(t, nil)
				c.begin(w)
				if w.in.Now = w.in.Now.Add(jump); jump < 0 {
					w.in.Seen.EngineLost = w.in.Now // the daemon is another one
					d := w.decide()
					if d.Step != nil || d.After <= 0 || d.After > c.most {
						t.Fatalf("set back: step %+v, next reconcile after %s, want at most %s", d.Step, d.After, c.most)
					}
					w.in.Now = w.in.Now.Add(d.After)
				}
				if d := w.decide(); d.Step == nil || d.Step.Kind != c.step {
					t.Errorf("at its end: step %+v, want %s", d.Step, c.step)
				}
			})
		}
	}
}

// TestScriptThatMayHaveRun: an engine that is killed while it starts one
// shows a container that was never started.
func TestScriptThatMayHaveRun(t *testing.T) {
	for name, c := range map[string]struct {
		unsure, failed bool
		lost, started  time.Duration // from the record of the start to the loss of the engine, and to its next start
		again          bool
	}{
		"no response, and the engine stopped":         {unsure: true, lost: time.Second},
		"no answer, and the clock was set back":       {unsure: true, lost: -2 * time.Hour},
		"no answer, and the engine is there":          {unsure: true, lost: -time.Hour, started: -time.Hour, again: true},
		"an error response, and the engine stopped":   {failed: true, lost: time.Second, started: time.Second, again: true},
		"an answer that it failed, and it stays here": {failed: true, lost: -time.Hour, started: -time.Hour, again: true},
		"the daemon was killed, and the engine too":   {lost: time.Second, started: time.Second},
		"the daemon was killed, and no engine":        {lost: time.Second, started: -time.Hour, again: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, script)
			for {
				d := w.decide()
				if d.Step.Kind == plan.StartInstallScript {
					break
				}
				w.act(*d.Step)
			}
			w.in.Status.Install.Unsure = c.unsure
			w.in.Seen.EngineLost = w.in.Now.Add(c.lost)
			w.in.Status.Install.NotStarted, w.in.Seen.EngineStartedAfter = c.failed, w.in.Now.Add(c.started)
			if c.lost < -time.Hour { // another daemon began then
				w.in.Now = w.in.Seen.EngineLost
			}
			w.in.Now = w.in.Now.Add(time.Minute)
			w.settle()
			got := w.in.Status.Get(status.Installed).Reason
			if c.again != (got == status.ReasonInstalled) || !c.again && got != status.ReasonInstallInterrupted {
				t.Errorf("got %s", got)
			}
		})
	}
}
