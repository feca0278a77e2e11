package plan_test

import (
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

func TestStrangerWithOurNameIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		other observed.Foreign
		says  string
	}{
		"anybody's":           {observed.Foreign{ContainerID: "0123456789abcdef"}, "container 0123456789ab, which is not ours"},
		"of another instance": {observed.Foreign{ContainerID: "0123456789abcdef", Instance: "lost"}, "another Lightd instance, lost:"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, nil)
			w.in.Seen.Run, w.in.Seen.RunNameTaken = nil, &c.other
			d := w.settle()
			synced := d.Status.Get(status.Synced)
			if synced.Reason != status.ReasonNameTaken || d.After != 15*time.Second || !strings.Contains(synced.Message, c.says) {
				t.Errorf("got %+v after %s", synced, d.After)
			}
		})
	}
}

// TestSnapshotThatLostItsName: as long as the container holds the image it gets the name
// back, else the container stays as it is while it can, and a recreation waits for somebody.
func TestSnapshotThatLostItsName(t *testing.T) {
	installed := func(t *testing.T) *world {
		w := ready(t, script)
		w.in.Snapshot.Present = false
		return w
	}
	t.Run("the image is there", func(t *testing.T) {
		w := installed(t)
		w.in.RunImage = observed.Image{Known: true, Present: true}
		w.settle()
		w.expect("RestoreSnapshot", "DriftDetected")
	})
	t.Run("whether the image is there is not known", func(t *testing.T) {
		w := installed(t)
		w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		if d := w.settle(); d.Status.Get(status.Synced).Reason != status.ReasonProgressing {
			t.Errorf("got %+v", d.Status.Get(status.Synced))
		}
		w.expect("", "")
	})
	t.Run("the image is gone, the container fits", func(t *testing.T) {
		w := installed(t)
		w.in.RunImage.Known = true
		w.die(w.in.Seen.Run, 1)
		if d := w.settle(); d.Status.Get(status.Synced).Status != status.True {
			t.Errorf("got %+v", d.Status.Get(status.Synced))
		}
		w.expect("StartContainer", "Exited Starting Running")
	})
	for name, recreate := range map[string]func(*world){
		"the image is gone, the container does not fit": func(w *world) {
			w.in.RunImage.Known = true
			w.change(func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		},
		"the image and the container are gone": func(w *world) { w.in.Seen.Run = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := installed(t)
			recreate(w)
			d := w.settle()
			synced := d.Status.Get(status.Synced)
			if synced.Reason != status.ReasonInstallLost || !strings.Contains(synced.Message, "kept:1") {
				t.Errorf("got %+v", synced)
			}
			if d.Status.ObservedGeneration != w.in.Spec.Generation {
				t.Error("who waits for this generation waits for ever")
			}
			if len(w.steps) > 0 {
				t.Errorf("steps %v", w.steps)
			}
			w.in.Snapshot.Present = true // somebody loaded it
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
				t.Error("a reinstall was asked for and did not happen")
			}
		})
	}
}

// TestDirectoriesThatMoved are mounted from where they are now.
func TestDirectoriesThatMoved(t *testing.T) {
	w := ready(t, nil)
	w.in.Moved = true
	w.settle()
	w.expect("CheckHost StopContainer RemoveContainer CreateContainer StartContainer",
		"DriftDetected Stopping Exited RemovingOldContainer Starting Running")
}
