package plan_test

import (
	"testing"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/status"
)

// TestDeletingIsReportedOnce though a step under way fails.
func TestDeletingIsReportedOnce(t *testing.T) {
	w := newScenario(t, script)
	w.exit = -1
	w.settle()
	w.change(func(c *desired.Container) { c.Deleting = true })
	w.story()
	w.decide()
	w.in.Status.Set(status.Condition{Type: status.Synced, Status: status.False, Reason: status.ReasonStepFailed}, w.in.Now)
	for d := w.decide(); d.Step.Kind != plan.Finalize; d = w.decide() {
		w.act(*d.Step)
	}
	w.expect("", "Deleting")
}
