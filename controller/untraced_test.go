package controller

import (
	"testing"

	"lightd/controller/plan"
	"lightd/desired"
)

// TestUntracedWorkAllocatesNothing: without a tracer the hooks of a reconcile and a step cost no memory.
func TestUntracedWorkAllocatesNothing(t *testing.T) {
	var tracer Tracer = noTracer{}
	ctx, spec := t.Context(), desired.Container{}
	got := testing.AllocsPerRun(100, func() {
		ctx, endReconcile := tracer.StartReconcile(ctx, "a", 1)
		tracer.Decided(ctx, spec, plan.Decision{})
		_, endStep := tracer.StartStep(ctx, spec, plan.Step{})
		endStep(nil)
		endReconcile(nil)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
