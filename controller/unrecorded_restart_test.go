package controller_test

import (
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestRestartsGoOnWithoutARecord: while the disk takes no record a program that ends is started
// again all the same, once, as a start can be repeated without harm. Once there is room it is
// recorded, and nothing of it is counted twice.
func TestRestartsGoOnWithoutARecord(t *testing.T) {
	var full atomic.Bool
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		starts := simengine.Rule{Method: "POST", Route: "/containers/{id}/start"}
		for i, c := range []struct{ full, back time.Duration }{
			{5 * time.Second, 15 * time.Second},
			{time.Hour, 6 * time.Minute}, // longer than any wait between two tries
		} {
			before := sim.CountCalls(starts)
			full.Store(true)
			if err := sim.Exit("lightd-a", 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(c.full)
			if made := sim.CountCalls(starts) - before; made != 1 {
				t.Errorf("%d starts, want 1", made)
			}
			full.Store(false)
			time.Sleep(c.back)
			if st, _ := n.statuses.Get("a"); st.State != status.StateRunning || st.Restarts != i+1 {
				t.Errorf("with room again after %s: %s after %d restarts", c.full, st.State, st.Restarts)
			}
			time.Sleep(11 * time.Minute) // the next end is a first one again: a start follows at once
		}
	}, seldom, onDisk(&full))
}

// onDisk has the node record nothing while the disk is full.
func onDisk(full *atomic.Bool) func(*setup) {
	return func(o *setup) {
		o.free = func(string) (uint64, error) {
			if full.Load() {
				return 0, nil
			}
			return 1 << 40, nil
		}
	}
}
