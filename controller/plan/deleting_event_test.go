package plan_test

import (
	"testing"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/status"
)

// TestDeletingIsToldOnce though a step that was on its way fails, and complains.
func TestDeletingIsToldOnce(t *testing.T) {
	w := newScenario(t, script)
	w.exit = -1
	w.settle()
	w.change(func(c *desired.Container) { c.Deleting = true })
	w.story()
	w.look()
	w.in.Status.Set(status.Condition{Type: status.Synced, Status: status.False, Reason: status.ReasonStepFailed}, w.in.Now)
	for d := w.look(); d.Step.Kind != plan.Finalize; d = w.look() {
		w.act(*d.Step)
	}
	w.expect("", "Deleting")
}
