package controller_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

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

// TestShellThatIsNotExecuted is found by the log of a run that ended within a moment with an exit code that
// such a run has, before the next start, and no log is read for any other end.
func TestShellThatIsNotExecuted(t *testing.T) {
	for _, c := range []struct {
		code          int
		after         time.Duration
		reads, refuse bool
	}{
		{code: 1, reads: true, refuse: true},
		{code: 255, reads: true, refuse: true},
		{code: 1, after: time.Minute},
		{code: 2}, {code: 126}, {code: 127}, {code: 137}, {code: 139}, {code: 143},
	} {
		t.Run(fmt.Sprintf("%d after %s", c.code, c.after), func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
				n.waitState("a", status.StateRunning)
				time.Sleep(c.after)
				name, ran := observed.RunName("a"), startedAt(t, sim, "a")
				if err := errors.Join(sim.Print(name, "exec /bin/sh: exec format error\n"), sim.Exit(name, c.code)); err != nil {
					t.Fatal(err)
				}
				n.wait("a", "refused or running again", func(st status.Status) bool {
					return unsuited(st) || st.Restarts == 1 && st.State == status.StateRunning
				})
				reads := sim.CountCalls(simengine.Rule{Method: http.MethodGet, Route: "/containers/{id}/logs"})
				if refused := startedAt(t, sim, "a").Equal(ran); (reads > 0) != c.reads || refused != c.refuse {
					t.Errorf("the log was read %d times, refused: %t", reads, refused)
				}
			})
		})
	}
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
