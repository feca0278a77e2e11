package controller_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestRemainsOfAnEarlierRun: an engine that refuses each start of a container for a task that it has lost track of gets
// another container, which runs; where that is refused as well, nothing is recreated again.
func TestRemainsOfAnEarlierRun(t *testing.T) {
	for name, every := range map[string]bool{"of one container": false, "of every one": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				n.waitSynced(n.create("a", nil))
				rule := simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Status: http.StatusInternalServerError,
					Message: "task " + strings.Repeat("0a", 32) + ": already exists: unknown"}
				if !every {
					rule.Target = n.inspect("a").ContainerID
				}
				sim.Inject(rule)
				creations := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/create"})
				n.change("a", func(c *desired.Container) { c.Power = desired.PowerRunning })
				n.wait("a", "failed", func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonStepFailed })
				st, _ := n.statuses.Get("a")
				if message := st.Get(status.Synced).Message; !strings.HasPrefix(message, "the engine has remains of an earlier run") {
					t.Errorf("the condition says %q", message)
				}
				if every {
					time.Sleep(time.Hour)
				} else {
					n.waitState("a", status.StateRunning)
				}
				if made := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/create"}) - creations; made != 1 {
					t.Errorf("%d more containers were made", made)
				}
			})
		})
	}
}
