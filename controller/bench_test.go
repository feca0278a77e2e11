package controller_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"lightd/controller"
	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// BenchmarkReconcileNothing is a reconcile that finds a running container as it has to be.
func BenchmarkReconcileNothing(b *testing.B) {
	sim := simengine.New(simengine.Options{AnyMounts: true})
	b.Cleanup(func() { sim.Close() })
	sim.AddImage(harness.Busybox(), simengine.ImageConfig{})
	socket := filepath.Join(b.TempDir(), "s")
	if err := sim.Serve(socket); err != nil {
		b.Fatal(err)
	}
	n := newNode(b, b.TempDir(), func(o *setup) {
		o.host, o.quiet = "unix://"+socket, slog.New(slog.DiscardHandler)
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
