package controller_test

import (
	"net/http"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/status"
)

func unsuited(st status.Status) bool {
	return st.Get(status.Synced).Reason == status.ReasonImageUnsuitable
}

// TestImagesWithAShellAreCheckedOnce, and those whose /bin/sh leads through links are none without.
func TestImagesWithAShellAreCheckedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		checks := simengine.Rule{Method: http.MethodHead, Route: "/containers/{id}/archive"}
		for _, id := range []string{"a", "b"} {
			n.create(id, func(s *desired.Spec) { s.Power = desired.PowerRunning })
			n.waitState(id, status.StateRunning)
		}
		if err := sim.Exit(observed.RunName("a"), 1); err != nil {
			t.Fatal(err)
		}
		n.wait("a", "started again", func(st status.Status) bool { return st.Restarts == 1 && st.State == status.StateRunning })
		if got := sim.CountCalls(checks); got != 1 {
			t.Errorf("%d checks of one image", got)
		}
	})
}

// TestImageOfAnotherArchitecture: a start that fails for it is not repeated.
func TestImageOfAnotherArchitecture(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		starts := sim.Inject(simengine.Rule{Method: http.MethodPost, Route: "/containers/{id}/start", Status: http.StatusBadRequest,
			Message: `OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "/bin/sh": exec format error: unknown`})
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		st := n.wait("a", "refused", unsuited)
		if message := st.Get(status.Synced).Message; !strings.Contains(message, "cannot run on this machine") || starts.Hits() != 1 {
			t.Errorf("%q after %d starts", message, starts.Hits())
		}
		starts.Release()
		n.change("a", func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
		n.waitState("a", status.StateRunning)
	})
}
