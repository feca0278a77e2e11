package controller_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestFailuresAreLoggedOnceEach: what a shipper of logs alerts on is a warning, what only the
// user can fix an error; each failure is one line, and what was requested is none.
func TestFailuresAreLoggedOnceEach(t *testing.T) {
	running := func(s *desired.Spec) { s.Power = desired.PowerRunning }
	exits := func(t *testing.T, sim *simengine.Sim, n *node, code, times int) {
		n.create("a", func(s *desired.Spec) { s.Power, s.Restart = desired.PowerRunning, desired.RestartAlways })
		for i := range times {
			n.wait("a", "running", func(st status.Status) bool { return st.State == status.StateRunning && st.Restarts == i })
			if err := sim.Exit("lightd-a", code); err != nil {
				t.Fatal(err)
			}
		}
		n.wait("a", "ended", func(st status.Status) bool { return st.Restarts == times })
	}
	for name, c := range map[string]struct {
		play func(*testing.T, *simengine.Sim, *node)
		want map[string]int
	}{
		"an exit with a failure": {
			func(t *testing.T, sim *simengine.Sim, n *node) { exits(t, sim, n, 1, 1) },
			map[string]int{"level=WARN type=Exited": 1},
		},
		"a crash loop": {
			func(t *testing.T, sim *simengine.Sim, n *node) { exits(t, sim, n, 1, 3) },
			map[string]int{"level=WARN type=Exited": 3, "level=WARN type=BackOff": 2},
		},
		"an end that is no failure": {
			func(t *testing.T, sim *simengine.Sim, n *node) { exits(t, sim, n, 0, 1) },
			nil,
		},
		"a stop that was requested": {
			func(t *testing.T, sim *simengine.Sim, n *node) {
				n.create("a", running)
				n.waitState("a", status.StateRunning)
				n.change("a", requestStop)
				n.waitState("a", status.StateOffline)
			},
			nil,
		},
		"a script that fails": {
			func(t *testing.T, sim *simengine.Sim, n *node) {
				sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Exit(3) })
				n.waitSynced(n.create("a", func(s *desired.Spec) { s.InstallScript = "exit 3" }))
			},
			map[string]int{"level=ERROR type=Error": 1},
		},
		"a container that is refused": {
			func(t *testing.T, sim *simengine.Sim, n *node) {
				sim.Inject(simengine.Rule{Method: http.MethodPost, Route: "/containers/create", Status: 400, Message: "no such runtime"})
				n.waitSynced(n.create("a", nil))
			},
			map[string]int{"level=ERROR type=Error": 1},
		},
		"a step that fails and then does not": {
			func(t *testing.T, sim *simengine.Sim, n *node) {
				sim.Inject(simengine.Rule{Method: http.MethodPost, Route: "/containers/{id}/start", Status: 500, Message: "not now", Times: 4})
				n.create("a", running)
				n.waitState("a", status.StateRunning)
			},
			map[string]int{"level=WARN type=StepFailed": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, log := logged(slog.LevelWarn)
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				c.play(t, sim, n)
				time.Sleep(10 * time.Second)
			}, log)
			left := len(text.lines("msg=\"container event\""))
			for line, times := range c.want {
				level, kind, _ := strings.Cut(line, " ")
				if got := text.lines(level, kind+" ", "container=a"); len(got) != times {
					t.Errorf("%d lines of %s, want %d: %q", len(got), line, times, text.lines(""))
				}
				left -= times
			}
			if left != 0 {
				t.Errorf("%d lines more than wanted: %q", left, text.lines(""))
			}
		})
	}
}
