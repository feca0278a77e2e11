package controller_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestHowFastIsHealed holds the times that the README documents, by a clock on which only calls
// of the engine and waits take time.
func TestHowFastIsHealed(t *testing.T) {
	type seen = container.InspectResponse
	another := func(a, b seen) bool { return b.State.Running && b.ID != a.ID }
	again := func(a, b seen) bool { return b.State.Running && b.State.StartedAt > a.State.StartedAt }
	asItWas := func(a, b seen) bool {
		return b.State.Running && !b.State.Paused && b.State.StartedAt == a.State.StartedAt && b.HostConfig.Memory == a.HostConfig.Memory
	}
	const soon = 100 * time.Millisecond
	const name = "lightd-a"
	call := func(method, path, body string) func(*testing.T, *simengine.Sim, *node) {
		return func(t *testing.T, sim *simengine.Sim, _ *node) {
			if answer := byExternal(sim, method, path, body); answer.Code >= 300 {
				t.Fatalf("%s %s: %d %s", method, path, answer.Code, answer.Body)
			}
		}
	}
	for what, c := range map[string]struct {
		disturb func(*testing.T, *simengine.Sim, *node)
		healed  func(before, now seen) bool
		within  time.Duration
	}{
		"killed":       {call("POST", "/containers/"+name+"/kill", ""), again, soon},
		"stopped":      {call("POST", "/containers/"+name+"/stop?t=1", ""), again, soon},
		"removed":      {call("DELETE", "/containers/"+name+"?force=1", ""), another, soon},
		"paused":       {call("POST", "/containers/"+name+"/pause", ""), asItWas, plan.PauseGrace + soon},
		"renamed":      {call("POST", "/containers/"+name+"/rename?name=other", ""), asItWas, soon},
		"limited":      {call("POST", "/containers/"+name+"/update", `{"Memory": 33554432, "MemorySwap": 33554432}`), asItWas, soon},
		"disconnected": {call("POST", "/networks/lightd/disconnect", fmt.Sprintf(`{"Container": %q}`, name)), another, soon},
		"the engine restarts, and all ends": {func(_ *testing.T, sim *simengine.Sim, _ *node) { _ = sim.Restart(false) },
			again, 5 * time.Second},
		"the engine was unreachable for an hour": {func(_ *testing.T, sim *simengine.Sim, _ *node) {
			sim.Refuse()
			time.Sleep(time.Hour)
			_ = sim.Exit(name, 1)
			_ = sim.Up()
		}, again, 5 * time.Second},
		"the engine sends no events": {func(_ *testing.T, sim *simengine.Sim, _ *node) {
			sim.InterceptEvents(func(simengine.Message) []simengine.Message { return nil })
			_ = sim.Exit(name, 1)
		}, again, 6 * time.Minute},
		"the entry script is altered": {func(t *testing.T, _ *simengine.Sim, n *node) {
			if err := os.WriteFile(filepath.Join(n.data.Path("a"), "entrypoint.sh"), []byte("exit 1"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, nil, 5 * time.Minute},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				spec := n.create("a", func(s *desired.Spec) { s.Power, s.Limits.Memory = desired.PowerRunning, 64<<20 })
				n.waitState("a", status.StateRunning)
				time.Sleep(time.Minute)
				before, err := sim.Inspect(name)
				if err != nil {
					t.Fatal(err)
				}
				c.disturb(t, sim, n)
				began := time.Now()
				healed := func() bool {
					if c.healed == nil {
						return n.data.EntrypointOK(spec.Spec)
					}
					now, err := sim.Inspect(name)
					return err == nil && c.healed(before, now)
				}
				for !healed() {
					if time.Since(began) > c.within {
						t.Fatalf("not within %s", c.within)
					}
					time.Sleep(max(time.Millisecond, c.within/1000))
				}
				t.Logf("after %s", time.Since(began))
			})
		})
	}
}
