package controller_test

import (
	"fmt"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
)

// TestQueuePositionIsGivenUp by a container that wants nothing by now, or whose next step has just
// failed: more of them than there are slots would block all others forever.
func TestQueuePositionIsGivenUp(t *testing.T) {
	const room = 8 // for removals
	type deed func(t *testing.T, sim *simengine.Sim, n *node, id string)
	for name, c := range map[string]struct {
		requestStart desired.Power
		// before is long before the engine takes its time, leave soon after join.
		before, join, leave deed
	}{
		"as it wants nothing": {
			desired.PowerStopped,
			func(*testing.T, *simengine.Sim, *node, string) {},
			func(_ *testing.T, _ *simengine.Sim, n *node, id string) { n.change(id, changeEnv) },
			func(_ *testing.T, _ *simengine.Sim, n *node, id string) {
				n.change(id, func(c *desired.Container) { c.Env = nil })
			},
		},
		// Its stop has failed when it ends by itself. An external start follows.
		"as its next step has failed": {
			desired.PowerRunning,
			func(_ *testing.T, _ *simengine.Sim, n *node, id string) { n.change(id, changeEnv) },
			func(t *testing.T, sim *simengine.Sim, n *node, id string) {
				if err := sim.Exit("lightd-"+id, 1); err != nil {
					t.Fatal(err)
				}
			},
			func(_ *testing.T, sim *simengine.Sim, _ *node, id string) {
				byExternal(sim, "POST", "/containers/lightd-"+id+"/start", "")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				each := func(group string, fn func(id string)) {
					for i := range room {
						fn(fmt.Sprint(group, i))
					}
				}
				n.waitSynced(n.create("good", nil))
				each("hung", func(id string) { n.waitSynced(n.create(id, nil)) })
				each("idle", func(id string) {
					n.waitSynced(n.create(id, func(s *desired.Spec) { s.Power, s.Stop.Timeout = c.requestStart, desired.Duration(10*time.Minute) }))
				})
				sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Status: 500, Message: "no"})
				each("idle", func(id string) { c.before(t, sim, n, id) })
				time.Sleep(45 * time.Second) // amidst a wait that is longer than all that follows
				hung := sim.Inject(simengine.Rule{Method: "DELETE", Route: "/containers/{id}", Hang: true, Times: room})
				each("hung", func(id string) { n.change(id, changeEnv) })
				awaitCalls(t, hung, room)
				each("idle", func(id string) { c.join(t, sim, n, id) })
				time.Sleep(time.Second)
				each("idle", func(id string) { c.leave(t, sim, n, id) })
				time.Sleep(time.Second)
				hung.Release()
				time.Sleep(time.Second)
				began := time.Now()
				n.waitSynced(n.change("good", changeEnv))
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}
