package plan_test

import (
	"testing"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/blueprint"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// TestOwnMountThatLeadsElsewhere is never in sync and never deferred, though the container was
// recreated for it already; nothing is started on foreign data.
func TestOwnMountThatLeadsElsewhere(t *testing.T) {
	for _, target := range []string{blueprint.Home, blueprint.Data} {
		w := ready(t, func(c *desired.Container) { c.Power = desired.PowerRunning })
		w.die(w.in.Seen.Run, 0)
		run := *w.in.Seen.Run
		run.Mounts = append(run.Mounts[:0:0], run.Mounts...)
		for i := range run.Mounts {
			if run.Mounts[i].Target == target {
				run.Mounts[i].Source = "/elsewhere"
			}
		}
		w.in.Seen.Run = &run
		w.in.Status.IneffectiveFixes, w.in.Status.RecreatedFrom = []string{"mount." + target}, "the one before"
		d := w.decide()
		if synced := d.Status.Get(status.Synced); d.Step != nil || synced.Status != status.False || synced.Reason != status.ReasonMountUnavailable {
			t.Errorf("%s: step %+v, %+v", target, d.Step, synced)
		}
		fields, _ := plan.Drift(w.in)
		if len(fields) == 0 || fields[0].Kind != drift.Spec {
			t.Errorf("%s: drift %+v", target, fields)
		}
	}
}
