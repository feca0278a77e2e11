package controller_test

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestStartWhoseRecordFails starts all the same. It is the one start, of which everything is
// recorded as soon as the database can be written to again.
func TestStartWhoseRecordFails(t *testing.T) {
	for name, hangs := range map[string]time.Duration{"at once": 0, "after the deadline": 7 * time.Second} {
		t.Run(name, func(t *testing.T) {
			var d disk
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
				n.waitState("a", status.StateRunning)
				starts := simengine.Rule{Method: "POST", Route: "/containers/{id}/start"}
				before, history := sim.CountCalls(starts), n.events("a")

				d.fail(0, 1, hangs, false)
				if err := sim.Exit("lightd-a", 7); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				st, _ := n.statuses.Get("a")
				if st.State != status.StateRunning || st.Restarts != 1 || st.LastExit == nil || st.LastExit.Code != 7 {
					t.Errorf("after a crash: %s, %d restarts, last exit %+v", st.State, st.Restarts, st.LastExit)
				}

				d.fail(2, 1, hangs, false) // not the request and the stop, but the start
				n.change("a", requestRestart)
				time.Sleep(time.Minute)
				st, _ = n.statuses.Get("a")
				if st.State != status.StateRunning || st.RestartHandled != 1 {
					t.Errorf("after a restart: %s, %d handled", st.State, st.RestartHandled)
				}
				if made := sim.CountCalls(starts) - before; made != 2 {
					t.Errorf("%d starts for a crash and a restart", made)
				}
				want := history + " Exited Starting Running Stopping Exited Starting Running"
				if got := n.events("a"); got != want {
					t.Errorf("events %s, want %s", got, want)
				}
			}, func(o *setup) { o.commit = d.around })
		})
	}
}

// TestNothingIsStartedOnAFailingDisk but the one that was on its way.
func TestNothingIsStartedOnAFailingDisk(t *testing.T) {
	var d disk
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		starts := simengine.Rule{Method: "POST", Route: "/containers/{id}/start"}
		before := sim.CountCalls(starts)
		d.fail(0, math.MaxInt, 0, false)
		for range 100 {
			_ = sim.Exit("lightd-a", 1) // it may be at rest
			time.Sleep(time.Second)
		}
		if made := sim.CountCalls(starts) - before; made != 1 {
			t.Errorf("%d starts", made)
		}
		d.fail(0, 0, 0, false)
		time.Sleep(10 * time.Minute)
		if st, _ := n.statuses.Get("a"); st.State != status.StateRunning || st.Restarts != 2 {
			t.Errorf("with a disk again: %s after %d restarts", st.State, st.Restarts)
		}
	}, func(o *setup) { o.commit = d.around })
}

// TestOutcomeIsReportedOnce though it is recorded after the deadline, when its commit looks
// as if it had failed.
func TestOutcomeIsReportedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		hold, release := slowly(n)
		n.create("a", func(s *desired.Spec) { s.Limits.Memory, s.Power = 64<<20, desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		update := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/update", Delay: time.Second, After: true})
		n.change("a", limitTo(65))
		if err := update.Await(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond) // the call is done, and not yet answered
		hold()
		time.Sleep(7 * time.Second)
		release()
		time.Sleep(time.Minute)
		if count := strings.Count(n.events("a"), "LimitsUpdated"); count != 1 {
			t.Errorf("reported %d times: %s", count, n.events("a"))
		}
	})
}

func limitTo(megabytes int64) func(*desired.Container) {
	return func(c *desired.Container) { c.Limits.Memory = megabytes << 20 }
}

// TestStuckLogStopsNoWrite: the log of a start is not read, and others continue.
func TestStuckLogStopsNoWrite(t *testing.T) {
	var stuck atomic.Pointer[chan struct{}]
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		gate := make(chan struct{})
		stuck.Store(&gate)
		if err := sim.Exit("lightd-a", 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.volumes.Create(ctx, store.Creator{}); err != nil {
			t.Errorf("another's write: %v", err)
		}
		stuck.Store(nil)
		close(gate)
		n.waitState("a", status.StateRunning)
	}, func(o *setup) {
		o.log = logHook(func(r slog.Record) {
			if gate := stuck.Load(); gate != nil && r.Message == "step" && attrOf(r, "step") == "StartContainer" {
				<-*gate
			}
		})
	})
}
