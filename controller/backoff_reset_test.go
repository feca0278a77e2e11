package controller_test

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// TestTheSameDisturbanceOverAndOver, fixed each time, is not a step without effect.
func TestTheSameDisturbanceOverAndOver(t *testing.T) {
	var failures atomic.Int32
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		for range 10 {
			byExternal(sim, "POST", "/containers/lightd-a/pause", "")
			time.Sleep(plan.PauseGrace - time.Second)
			if c, err := sim.Inspect("lightd-a"); err != nil || !c.State.Paused {
				t.Errorf("the pause was ended: %+v, %v", c.State, err)
			}
			time.Sleep(2 * time.Second)
			if c, err := sim.Inspect("lightd-a"); err != nil || c.State.Paused {
				t.Errorf("it is paused: %+v, %v", c.State, err)
			}
			if st, _ := n.statuses.Get("a"); !synced(st) {
				t.Errorf("synced %+v", st.Get(status.Synced))
			}
			time.Sleep(time.Minute)
		}
		if got := failures.Load(); got > 0 {
			t.Errorf("%d failures", got)
		}
	}, func(o *setup) {
		o.log = logHook(func(r slog.Record) {
			r.Attrs(func(a slog.Attr) bool {
				if a.Key == "type" && a.Value.String() == string(journal.StepFailed) {
					failures.Add(1)
				}
				return true
			})
		})
	})
}

// TestFailureThatIsOverIsForgotten: what stood in the way is gone by an external change, and the
// same step is tried at once when it is needed again.
func TestFailureThatIsOverIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		failing := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/unpause", Status: 500, Message: "no"})
		byExternal(sim, "POST", "/containers/lightd-a/pause", "")
		time.Sleep(plan.PauseGrace + time.Minute)
		failing.Release()
		byExternal(sim, "POST", "/containers/lightd-a/unpause", "")
		n.wait("a", "in order", synced)
		byExternal(sim, "POST", "/containers/lightd-a/pause", "")
		time.Sleep(plan.PauseGrace + time.Second)
		if c, err := sim.Inspect(observed.RunName("a")); err != nil || c.State.Paused {
			t.Errorf("it is paused: %+v, %v", c.State, err)
		}
	})
}

// TestProcessThatIsSlowToDie is killed once, and not reported as outliving the kill at once.
func TestProcessThatIsSlowToDie(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		kill := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Status: 204})
		n.change("a", requestKill)
		time.Sleep(5 * time.Second)
		if kill.Hits() != 1 {
			t.Errorf("killed %d times", kill.Hits())
		}
		if err := sim.Exit("lightd-a", 137); err != nil {
			t.Fatal(err)
		}
		n.waitState("a", status.StateOffline)
	})
}
