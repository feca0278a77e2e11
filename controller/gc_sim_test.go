package controller_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"testing"

	"lightd/hack/simengine"
)

// footprint is what a process holds on to.
type footprint struct {
	goroutines, files int
	heap              uint64
}

func measure(t *testing.T) (f footprint) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.GC() // what finalizers held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), len(open), m.HeapAlloc}
}

// TestCyclesLeaveNothing makes and deletes a thousand containers: nothing of them stays in
// Docker, on disk or in memory, and the process does not grow.
func TestCyclesLeaveNothing(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	sim, n := onSim(t, func(o *setup) { o.quiet = quiet })
	sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Change("/usr/tool", 1) })
	ids := make([]string, 20)
	for i := range ids {
		ids[i] = fmt.Sprintf("cycle-%d", i)
	}
	n.runLifecycles(ids, 10, "true")
	if err := n.journal.Prune(t.Context(), func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	sim.ResetCalls()
	before := measure(t)
	n.runLifecycles(ids, 40, "true")
	if err := n.journal.Prune(t.Context(), func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	n.checkNothingLeft(sim.Names)
	after := footprint{}
	defer func() { t.Logf("after 200 cycles %+v, after 1,000 %+v", before, after) }()
	pollUntil(t, "as small as before", func() bool {
		sim.ResetCalls() // the simulated engine remembers them
		after = measure(t)
		// A leak of 2 KB a cycle would be 1.6 MB; the tables in memory are of a fixed size.
		return after.goroutines <= before.goroutines+5 && after.files <= before.files+5 && after.heap <= before.heap+2<<20
	})
}
