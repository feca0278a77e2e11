package plan_test

import (
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/observed"
	"lightd/observed/status"
)

// TestLoadOfACopy: while it runs it is waited for, after a failure it is tried again like a
// pull, and a copy that is damaged is named.
func TestLoadOfACopy(t *testing.T) {
	for name, c := range map[string]struct {
		copied observed.SnapshotCopy
		step   plan.Kind
		reason status.Reason
		text   string
	}{
		"there":     {observed.SnapshotCopy{Present: true}, plan.LoadSnapshot, status.ReasonProgressing, "LoadSnapshot"},
		"loading":   {observed.SnapshotCopy{Present: true, Loading: true}, "", status.ReasonProgressing, "loading image kept:1"},
		"failed":    {observed.SnapshotCopy{Present: true, LoadError: "no space"}, "", status.ReasonImageUnavailable, "no space"},
		"none":      {observed.SnapshotCopy{}, "", status.ReasonInstallLost, "there is no copy"},
		"damaged":   {observed.SnapshotCopy{Damaged: true}, "", status.ReasonInstallLost, "its copy is damaged"},
		"not saved": {observed.SnapshotCopy{SaveError: "no room"}, "", status.ReasonInstallLost, "there is no copy"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, script)
			w.in.Snapshot.Present, w.in.Seen.Run, w.in.Copy = false, nil, c.copied
			if c.copied.LoadError != "" {
				w.in.Copy.LoadFailedAt = w.in.Now
			}
			d := w.decide()
			var step plan.Kind
			if d.Step != nil {
				step = d.Step.Kind
			}
			synced := d.Status.Get(status.Synced)
			if step != c.step || synced.Reason != c.reason || !strings.Contains(synced.Message, c.text) {
				t.Errorf("step %q, %+v", step, synced)
			}
			if c.copied.LoadError == "" {
				return
			}
			w.in.Now = w.in.Now.Add(d.After + time.Second)
			if d := w.decide(); d.Step == nil || d.Step.Kind != plan.LoadSnapshot {
				t.Errorf("after %v: %+v", d.After, d.Step)
			}
		})
	}
}

// TestACopyThatCannotBeSaved is reported once, in an event and with the condition of the
// installation, which stays True; and withdrawn when the copy is there.
func TestACopyThatCannotBeSaved(t *testing.T) {
	w := ready(t, script)
	w.in.Copy.SaveError = "no room"
	for range 2 {
		d := w.settle()
		installed := d.Status.Get(status.Installed)
		if installed.Status != status.True || !strings.Contains(installed.Message, "no room") || d.Status.Get(status.Synced).Status != status.True {
			t.Errorf("got %+v", d.Status.Conditions)
		}
	}
	w.expect("", "SnapshotNotCopied")
	w.in.Copy = observed.SnapshotCopy{Present: true}
	if got := w.settle().Status.Get(status.Installed); got.Message != "" {
		t.Errorf("got %+v", got)
	}
	w.expect("", "")
}
