package controller_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/observed/simengine"
	"lightd/observed/status"
)

// slowly keeps, from when it is told until it is released, every record of a status from being
// acknowledged.
func slowly(n *node) (hold, release func()) {
	var gate atomic.Pointer[chan struct{}]
	n.t.Cleanup(n.statuses.Subscribe(func(string) {
		if c := gate.Load(); c != nil {
			<-*c
		}
	}))
	hold = func() { c := make(chan struct{}); gate.Store(&c) }
	release = func() { close(*gate.Swap(nil)) }
	return hold, release
}

// TestOnlyAStartBeginsBeforeItsRecordIsOnDisk: a program that ended is back the sooner, where
// the engine goes down with this machine; all else waits until its record is acknowledged.
func TestOnlyAStartBeginsBeforeItsRecordIsOnDisk(t *testing.T) {
	ends := func(t *testing.T, sim *simengine.Sim, _ *node) {
		if err := sim.Exit("lightd-a", 1); err != nil {
			t.Fatal(err)
		}
	}
	stop := func(_ *testing.T, _ *simengine.Sim, n *node) {
		n.change("a", func(c *desired.Container) { c.Power = desired.PowerStopped })
	}
	remove := func(_ *testing.T, _ *simengine.Sim, n *node) {
		n.change("a", func(c *desired.Container) { c.Deleting = true })
	}
	for name, tc := range map[string]struct {
		elsewhere bool
		what      func(*testing.T, *simengine.Sim, *node)
		early     int
	}{
		"a start":           {false, ends, 1},
		"a start elsewhere": {true, ends, 0},
		"a stop":            {false, stop, 0},
		"a removal":         {false, remove, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				hold, release := slowly(n)
				n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
				n.waitState("a", status.StateRunning)
				calls := func() int {
					return sim.CountCalls(simengine.Rule{Method: "POST"}) + sim.CountCalls(simengine.Rule{Method: "DELETE"})
				}
				before := calls()
				hold()
				tc.what(t, sim, n)
				time.Sleep(time.Second)
				if early := calls() - before; early != tc.early {
					t.Errorf("%d calls before the record was acknowledged, want %d", early, tc.early)
				}
				release()
				time.Sleep(time.Second)
				if all := calls() - before; all == 0 {
					t.Error("no call at all")
				}
			}, func(o *setup) { o.elsewhere = tc.elsewhere })
		})
	}
}

// TestStartWhoseRecordIsNotAcknowledged: the database answers after the deadline, and the start
// had begun. It is taken once all the same, and what it held is free again.
func TestStartWhoseRecordIsNotAcknowledged(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		hold, release := slowly(n)
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		starts := simengine.Rule{Method: "POST", Route: "/containers/{id}/start"}
		for i := range 20 { // more than there are places for starts
			time.Sleep(15 * time.Minute) // a life that clears the count of crashes
			before := sim.CountCalls(starts)
			hold()
			if err := sim.Exit("lightd-a", 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Second)
			release()
			time.Sleep(time.Minute)
			st, _ := n.statuses.Get("a")
			if made := sim.CountCalls(starts) - before; made != 1 || st.State != status.StateRunning || st.Restarts != i+1 {
				t.Fatalf("crash %d: %d starts, %s after %d restarts", i+1, made, st.State, st.Restarts)
			}
		}
		hung := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Hang: true})
		defer hung.Release()
		for i := range 20 {
			n.create(fmt.Sprint("b", i), func(s *desired.Spec) { s.Power = desired.PowerRunning })
		}
		time.Sleep(time.Second)
		if at := hung.Hits(); at != 8 {
			t.Errorf("%d starts at once", at)
		}
	})
}
