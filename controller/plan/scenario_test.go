package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/status"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// scenario is the smallest Docker that a plan can be played against: each step has its
// ideal effect at once, and the test moves the clock and breaks things.
type scenario struct {
	t      testing.TB
	in     plan.Input
	made   int
	steps  []string
	events []string
	exit   int // exit code of the install script
}

func newScenario(t testing.TB, change func(*desired.Container)) *scenario {
	spec := desired.DefaultSpec()
	spec.InternalID, spec.Image, spec.VolumeID = "a", "img", "v"
	spec.StartupCommand, spec.Restart = "run", desired.RestartAlways
	c := desired.Container{Spec: spec, Generation: 1, Requests: desired.Requests{Install: 1}}
	if change != nil {
		change(&c)
	}
	c.Spec = c.Spec.Normalize()
	return &scenario{t: t, in: plan.Input{
		Spec:           c,
		HostPaths:      blueprint.HostPaths{Log: blueprint.Logs("10m", 3)},
		Seen:           observed.Snapshot{Known: true, EngineUp: true, At: epoch, EngineLost: epoch.Add(-time.Hour)},
		Image:          observed.Image{Known: true, Present: true},
		Snapshot:       observed.Image{Known: true, Present: true},
		InstallImage:   observed.Image{Known: true, Present: true},
		Now:            epoch,
		CreationMark:   "mark",
		InstallTimeout: 10 * time.Minute,
	}}
}

// change edits the spec as a client would.
func (w *scenario) change(fn func(*desired.Container)) {
	c := w.in.Spec.Clone()
	fn(&c)
	c.Spec = c.Spec.Normalize()
	c.Generation++
	w.in.Spec = c
}

// decide decides once and keeps the record, without executing the step.
func (w *scenario) decide() plan.Decision {
	d := plan.Decide(w.in)
	w.in.Status = d.Status
	for _, e := range d.Events {
		w.events = append(w.events, string(e.Type))
	}
	if word := d.Status.InstallState; word == status.Failed && d.Status.Get(status.Installed).Status == status.True {
		w.t.Errorf("install_state is %s beside %+v", word, d.Status.Get(status.Installed))
	}
	return d
}

// settle takes steps until there are none left.
func (w *scenario) settle() plan.Decision {
	for range 50 {
		d := w.decide()
		if d.Step == nil {
			w.check()
			return d
		}
		w.steps = append(w.steps, string(d.Step.Kind))
		w.act(*d.Step)
		w.in.Now = w.in.Now.Add(10 * time.Millisecond)
	}
	w.t.Fatalf("no end after 50 steps: %v", w.steps)
	return plan.Decision{}
}

// check holds what is true of every status at rest.
func (w *scenario) check() {
	w.t.Helper()
	st := w.in.Status
	if st.ObservedGeneration > w.in.Spec.Generation {
		w.t.Errorf("observed generation %d is ahead of %d", st.ObservedGeneration, w.in.Spec.Generation)
	}
	if again := plan.Decide(w.in); len(again.Events) != 0 {
		w.t.Errorf("a second decision on the same observation emits %v", again.Events)
	}
	if synced := st.Get(status.Synced); synced.Status == status.True && st.ObservedGeneration != w.in.Spec.Generation {
		w.t.Errorf("synced at generation %d, observed %d", w.in.Spec.Generation, st.ObservedGeneration)
	}
}

func (w *scenario) create(role observed.Role, ref string) *observed.Container {
	w.made++
	make, image := blueprint.Run, w.in.Image
	if role == observed.RoleInstall {
		make = blueprint.Install
	} else if ref == w.in.Status.Install.Snapshot {
		image = w.in.Snapshot
	}
	return make(w.in.Spec, w.in.HostPaths, ref, w.in.Spec.Requests.Install).WithImageVolumes(w.in.HostPaths, image.Volumes).
		WithCreationMark(w.in.Status.CreationMark).AsCreated(fmt.Sprintf("c%d", w.made), image)
}

func (w *scenario) start(c *observed.Container) {
	c.Phase, c.StartedAt, c.Unwatched = observed.Running, w.in.Now, false
	c.Published = c.Binds
}

func (w *scenario) die(c *observed.Container, code int) {
	c.Phase, c.FinishedAt, c.ExitCode = observed.Exited, w.in.Now, code
}

// act is the ideal Docker.
func (w *scenario) act(s plan.Step) {
	seen, st := &w.in.Seen, &w.in.Status
	switch s.Kind {
	case plan.PullImage:
		if s.Image == w.in.Spec.Image {
			w.in.Image = observed.Image{Known: true, Present: true, PulledAt: w.in.Now}
		} else {
			w.in.InstallImage = observed.Image{Known: true, Present: true, PulledAt: w.in.Now}
		}
	case plan.CreateInstallContainer:
		seen.Install = w.create(observed.RoleInstall, s.Image)
	case plan.StartInstallScript:
		w.start(seen.Install)
		w.in.Now = w.in.Now.Add(time.Second)
		if w.exit >= 0 {
			w.die(seen.Install, w.exit)
		}
	case plan.MeasureInstallation:
		st.Install.MeasuredAt, st.Install.Measured = w.in.Now, !seen.Install.Running()
	case plan.KillInstallScript:
		w.die(seen.Install, 137)
	case plan.KeepInstallation:
		st.Install.Phase, st.Install.OutputSaved = status.InstallKept, true
		if !st.Install.Separate {
			st.Install.Snapshot, w.in.Snapshot.Present = "kept:1", true
		}
	case plan.SaveInstallOutput:
		st.Install.OutputSaved = true
	case plan.RemoveInstallContainer:
		seen.Install = nil
	case plan.RestoreSnapshot, plan.LoadSnapshot:
		w.in.Snapshot.Present = true
	case plan.WriteEntrypoint:
		w.in.EntrypointOK = true
	case plan.CheckHost:
		w.in.Host = plan.HostCheck{Hash: w.in.Spec.Hash(st.Install.RunImage(w.in.Spec.Image)), At: w.in.Now}
	case plan.CreateContainer:
		seen.Run = w.create(observed.RoleRun, s.Image)
	case plan.UpdateLimits:
		seen.Run.Limits, seen.Run.RestartPolicy = w.in.Spec.Limits, "no"
	case plan.StartContainer:
		w.start(seen.Run)
		w.in.Matched = false
	case plan.UnpauseContainer:
		for _, c := range []*observed.Container{seen.Run, seen.Install} {
			if c != nil && c.ContainerID == s.Target {
				c.Phase = observed.Running
			}
		}
	case plan.RenameContainer:
		seen.Run.Name = observed.RunName("a")
	case plan.StopContainer:
		st.Stopping.Sent = true
		w.die(seen.Run, 143)
	case plan.KillContainer:
		st.Stopping.KilledAt = w.in.Now
		w.die(seen.Run, 137)
	case plan.RemoveContainer:
		seen.Run = nil
	case plan.ReleasePorts:
		w.in.Spec.Releasing = nil
	case plan.Finalize:
		w.t.Fatal("finalize has no successor")
	default:
		w.t.Fatalf("unknown step %s", s.Kind)
	}
}

// story returns what happened since the last call, and clears it.
func (w *scenario) story() string {
	s := "steps:  " + strings.Join(w.steps, " ") + "\nevents: " + strings.Join(w.events, " ")
	w.steps, w.events = nil, nil
	return s
}

func (w *scenario) expect(steps, events string) {
	w.t.Helper()
	want := "steps:  " + steps + "\nevents: " + events
	if got := w.story(); got != want {
		w.t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func run(c *desired.Container)    { c.Power, c.Kill = desired.PowerRunning, false; c.Requests.Start++ }
func script(c *desired.Container) { c.InstallScript = "true" }

// installer is a script in an image of its own.
func installer(c *desired.Container) {
	c.InstallScript, c.Install = "", &desired.Install{Script: "true", Image: "tools"}
}
