package controller_test

import (
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestFailingStepIsTriedEverLess on an engine that fails at it for a while: it is neither
// requested over and over nor given up.
func TestFailingStepIsTriedEverLess(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		starts := simengine.Rule{Method: "POST", Route: "/containers/{id}/start"}
		failing := starts
		failing.Status, failing.Message = 500, "no"
		failure := sim.Inject(failing)
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.wait("a", "reported to fail", func(st status.Status) bool {
			return st.Get(status.Synced).Reason == status.ReasonStepFailed
		})
		time.Sleep(time.Minute)
		// From half a second on each wait is twice the last, and up to a fifth longer.
		if made := sim.CountCalls(starts); made < 5 || made > 9 {
			t.Errorf("%d start calls in a minute", made)
		}
		failure.Release()
		n.waitState("a", status.StateRunning)
	})
}
