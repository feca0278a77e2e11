package controller_test

import (
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/status"
)

// TestErrorsOfReconcilesDoNotDelaySteps: an idle container whose status could not be recorded
// many times over, and was in the end, has the first retry of its next step after the first
// delay; and the next error of a reconcile counts as a first one.
func TestErrorsOfReconcilesDoNotDelaySteps(t *testing.T) {
	failing := &disk{}
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power, s.Restart = desired.PowerRunning, desired.RestartNever })
		n.waitState("a", status.StateRunning)
		kill := func(errors int) {
			failing.fail(0, errors, 0, false)
			if err := sim.Exit(observed.RunName("a"), 1); err != nil {
				t.Fatal(err)
			}
		}
		kill(10)
		time.Sleep(15 * time.Minute)
		n.waitState("a", status.StateOffline)

		start := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Status: 500, Message: "no", Times: 1})
		n.change("a", requestStart)
		began := time.Now()
		n.waitState("a", status.StateRunning)
		if took := time.Since(began); took > time.Second || start.Hits() != 1 {
			t.Errorf("running after %s, %d failures", took, start.Hits())
		}

		began = time.Now()
		kill(1)
		n.waitState("a", status.StateOffline)
		if took := time.Since(began); took > time.Second {
			t.Errorf("one error of the database delays the status for %s", took)
		}
	}, func(o *setup) { o.commit = failing.around })
}
