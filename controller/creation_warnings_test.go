package controller_test

import (
	"strings"
	"testing"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestWarningAtCreationIsAnEvent, once for each container that was created.
func TestWarningAtCreationIsAnEvent(t *testing.T) {
	const warning = "Your kernel does not support swap limit capabilities"
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.WarnAtCreation(warning, "and more")
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		n.wait("a", "in sync", synced)
		if got := n.messages("a", "CreationWarning"); len(got) != 1 || got[0] != warning+"; and more" {
			t.Errorf("events of the first creation: %q", got)
		}
		n.waitSynced(n.change("a", func(c *desired.Container) { c.Env = map[string]string{"A": "b"} }))
		if got := n.messages("a", "CreationWarning"); len(got) != 2 {
			t.Errorf("events of two creations: %q", got)
		}
		sim.WarnAtCreation()
		n.waitSynced(n.change("a", func(c *desired.Container) { c.Env = map[string]string{"A": "c"} }))
		if got := strings.Count(n.events("a"), "CreationWarning"); got != 2 {
			t.Errorf("%d events after a creation without a warning", got)
		}
	})
}
