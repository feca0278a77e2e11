package controller_test

import (
	"log/slog"
	"testing"

	"lightd/controller"
	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// BenchmarkReconcileNothing is a reconcile that finds a running container as it has to be.
func BenchmarkReconcileNothing(b *testing.B) {
	_, host := harness.SimHost(b, simengine.Options{AnyMounts: true}, harness.Busybox())
	n := newNode(b, b.TempDir(), func(o *setup) {
		o.host, o.quiet = host, slog.New(slog.DiscardHandler)
	})
	n.waitSynced(n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning }))
	n.waitState("a", status.StateRunning)
	b.ReportAllocs()
	for b.Loop() {
		if result, err := n.controller.Reconcile(b.Context(), "a"); err != nil || result != (controller.Result{}) {
			b.Fatalf("%+v, %v", result, err)
		}
	}
}

// TestReconcileOfNothingAllocatesLittle: nothing of a spec is encoded, copied or listed twice by each reconcile.
func TestReconcileOfNothingAllocatesLittle(t *testing.T) {
	_, n := onSim(t)
	n.waitSynced(n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning }))
	n.waitState("a", status.StateRunning)
	const most = 125 // it is 83 without the race detector, 106 with it
	made := testing.AllocsPerRun(200, func() {
		if _, err := n.controller.Reconcile(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	})
	if made > most {
		t.Errorf("%.0f allocations, want at most %d", made, most)
	}
}
