package controller_test

import (
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestPauseOverARestartOfTheDaemon ends when it would have ended without one.
func TestPauseOverARestartOfTheDaemon(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		byExternal(sim, "POST", "/containers/lightd-a/pause", "")
		began := time.Now()
		time.Sleep(plan.PauseGrace / 2)
		n.stop()
		n.restart()
		for {
			if c, err := sim.Inspect("lightd-a"); err == nil && !c.State.Paused {
				break
			}
			if time.Since(began) > 2*plan.PauseGrace {
				t.Fatal("it is paused still")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if lasted := time.Since(began); lasted < plan.PauseGrace || lasted > plan.PauseGrace+2*time.Second {
			t.Errorf("unpaused after %s", lasted)
		}
	})
}

// TestUnpauseThatCameTooLate fails no step: the engine reports that the process runs already, by its own
// message or by that of containerd.
func TestUnpauseThatCameTooLate(t *testing.T) {
	for name, message := range map[string]string{
		"noted late": "Cannot unpause container x: cannot resume a running process: unknown",
		"not paused": "Container x is not paused",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
				n.waitState("a", status.StateRunning)
				late := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/unpause", Status: 500, Message: message})
				byExternal(sim, "POST", "/containers/lightd-a/pause", "")
				time.Sleep(plan.PauseGrace + time.Second)
				late.Release()
				if name == "not paused" { // externally
					byExternal(sim, "POST", "/containers/lightd-a/unpause", "")
				}
				n.wait("a", "unpaused", func(st status.Status) bool { return st.Pause == nil && synced(st) })
				if events := n.events("a"); strings.Contains(events, "StepFailed") {
					t.Errorf("events %s", events)
				}
			})
		})
	}
}
