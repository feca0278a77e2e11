package plan_test

import (
	"strings"
	"testing"

	"lightd/controller/plan"
	"lightd/observed"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// TestContainerOfAnEarlierVersionIsKept: what isolates it less is reported, and applied when it is
// recreated for another reason.
func TestContainerOfAnEarlierVersionIsKept(t *testing.T) {
	w := newScenario(t, run)
	w.settle()
	w.in.Seen.Run.Security = observed.Security{Capabilities: observed.EngineCapabilities(), IPC: "private", Cgroupns: "host"}
	w.in.Seen.Run.Healthcheck = nil
	w.story()
	if d := w.settle(); d.Status.Get(status.Synced).Status != status.True {
		t.Errorf("not in sync: %+v", d.Status.Conditions)
	}
	w.expect("", "")
	fields, _ := plan.Drift(w.in)
	if len(fields) != 4 {
		t.Errorf("reported: %+v", fields)
	}
	for _, f := range fields {
		if f.Kind != drift.Deferred || f.Step != "" {
			t.Errorf("reported: %+v", f)
		}
	}
}

// TestTwinIsReplaced: a container that has all labels of ours, and may have more privileges, is
// neither started nor taken for ours, whether it runs or not, and at whatever phase.
func TestTwinIsReplaced(t *testing.T) {
	for name, place := range map[string]func(*scenario, observed.Container) *observed.Container{
		"stopped": func(_ *scenario, c observed.Container) *observed.Container { c.Phase = observed.Created; return &c },
		"running": func(w *scenario, c observed.Container) *observed.Container { w.start(&c); return &c },
		"with a snapshot of its own": func(w *scenario, c observed.Container) *observed.Container {
			w.in.Status.Install.Snapshot, w.in.Snapshot = "img", observed.Image{Known: true}
			w.in.RunImage = observed.Image{Known: true, Present: true, ImageID: c.ImageID}
			w.in.Copy.Present = true
			return &c
		},
	} {
		w := newScenario(t, run)
		w.settle()
		ours := w.in.Seen.Run.ContainerID
		twin := *w.in.Seen.Run
		twin.ContainerID = "twin"
		w.in.Seen.Run = place(w, twin)
		w.story()
		w.settle()
		for _, s := range w.steps {
			if s == string(plan.RestoreSnapshot) {
				t.Errorf("%s: %s", name, s)
			}
		}
		steps, _, _ := strings.Cut(strings.Join(w.steps, " "), string(plan.CreateContainer))
		if strings.Contains(steps, string(plan.StartContainer)) || !strings.Contains(steps, string(plan.RemoveContainer)) {
			t.Errorf("%s: the steps are %v", name, w.steps)
		}
		if id := w.in.Status.ContainerID; id == "twin" || id == ours || w.in.Status.State != status.StateRunning && w.in.Status.State != status.StateStarting {
			t.Errorf("%s: ends with %s, %s", name, id, w.in.Status.State)
		}
	}
}

// TestTwinOfAnInstallation is removed at each phase at which a container is expected.
func TestTwinOfAnInstallation(t *testing.T) {
	for _, change := range []func(*scenario){
		func(w *scenario) { w.in.Seen.Install = w.create(observed.RoleInstall, "img") },
		func(w *scenario) { w.in.Spec.InstallScript = ""; w.in.Seen.Run = w.create(observed.RoleRun, "img") },
	} {
		w := newScenario(t, script)
		change(w)
		for _, c := range []*observed.Container{w.in.Seen.Install, w.in.Seen.Run} {
			if c != nil {
				c.ContainerID, c.Labels[observed.LabelCreation] = "twin", "guessed"
			}
		}
		w.in.Status.Install = status.Install{Request: 1, Phase: status.InstallCreating, Image: "img", Script: w.in.Spec.InstallScript != ""}
		w.settle()
		if first := w.steps[0]; first != string(plan.RemoveInstallContainer) && first != string(plan.RemoveContainer) {
			t.Errorf("the steps are %v", w.steps)
		}
	}
}

// TestCreationIsRecognized though its answer was lost, and by another process of the daemon.
func TestCreationIsRecognized(t *testing.T) {
	w := newScenario(t, run)
	for {
		d := w.decide()
		w.act(*d.Step)
		if d.Step.Kind == plan.CreateContainer {
			break
		}
	}
	w.in.CreationMark = "of another process"
	d := w.settle()
	if w.made != 1 || d.Status.ContainerID != "c1" || d.Status.CreationMark != "" {
		t.Errorf("%d were made, ours is %q", w.made, d.Status.ContainerID)
	}
}
