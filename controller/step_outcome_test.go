package controller_test

import (
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestOutcomeOfAStepIsReportedOnce: what a step leaves behind is recorded with the next decision,
// and not again with the one after.
func TestOutcomeOfAStepIsReportedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		reportedOnce := func(want string) {
			t.Helper()
			if got := strings.Count(n.events("a"), want); got != 1 {
				t.Errorf("%s is reported %d times: %s", want, got, n.events("a"))
			}
		}
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		n.waitSynced(n.change("a", limitMemory))
		time.Sleep(11 * time.Minute)
		reportedOnce("LimitsUpdated")
		sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/create", Status: 400, Message: "not like that", Times: 1})
		n.change("a", changeEnv)
		st := n.wait("a", "refused", func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonRefused })
		if !strings.Contains(st.Get(status.Synced).Message, "not like that") {
			t.Errorf("message %q", st.Get(status.Synced).Message)
		}
		time.Sleep(11 * time.Minute)
		reportedOnce("Error")
		n.waitSynced(n.change("a", func(c *desired.Container) { c.Env = map[string]string{"A": "C"} }))
		n.waitState("a", status.StateRunning)
		reportedOnce("Error")
	})
}

// TestOldSnapshotsGoAtOnce: with the installation after theirs, and with their container.
func TestOldSnapshotsGoAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		images := func(want int) {
			t.Helper()
			time.Sleep(time.Second)
			tagged, err := n.engine.Images(t.Context())
			if err != nil || len(tagged) != want {
				t.Errorf("%d images, %v, want %d", len(tagged), err, want)
			}
		}
		first := n.waitSynced(installing(sim, n, "a")).Install.Snapshot
		images(1)
		if second := n.waitSynced(n.change("a", reinstall)).Install.Snapshot; second == first {
			t.Errorf("%s is the name of two: the first one cannot be found any more", first)
		}
		images(1)
		n.change("a", requestDelete)
		n.gone("a")
		images(0)
	})
}
