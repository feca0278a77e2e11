package controller_test

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// logText is what was logged from a level on.
type logText struct{ harness.Buffer }

// lines returns the lines that hold all of parts.
func (l *logText) lines(parts ...string) (found []string) {
	for line := range strings.Lines(l.String()) {
		matches := true
		for _, part := range parts {
			matches = matches && strings.Contains(line, part)
		}
		if matches {
			found = append(found, line)
		}
	}
	return found
}

// logged keeps what a node logs from a level on.
func logged(level slog.Level) (*logText, func(*setup)) {
	text := &logText{}
	return text, func(o *setup) { o.log = slog.NewTextHandler(text, &slog.HandlerOptions{Level: level}) }
}

// failingStep is a step that fails until fix removes what is in its way.
type failingStep struct {
	begin, fix func(*simengine.Sim, *node)
	reason     status.Reason
	event      string
	// tries are the calls that each attempt makes, apart at most this long.
	tries func(*simengine.Sim) int
	apart time.Duration
}

// TestRepeatedFailureIsRecordedOnce: what fails for ten minutes for one reason makes one change of
// a condition, one event and one line in the log, however the engine words it each time. The next
// attempt and its number are known all the while.
func TestRepeatedFailureIsRecordedOnce(t *testing.T) {
	var inspects, gone atomic.Int64
	mounts := func(o *setup) {
		o.mounts = func(desired.Spec) error {
			inspects.Add(1)
			if gone.Load() > 0 {
				return desired.Invalid("mount", "it is not there")
			}
			return nil
		}
	}
	calls := func(method, route string) func(*simengine.Sim) int {
		return func(sim *simengine.Sim) int { return sim.CountCalls(simengine.Rule{Method: method, Route: route}) }
	}
	running := func(s *desired.Spec) { s.Power = desired.PowerRunning }
	for name, c := range map[string]failingStep{
		"a busy port": {
			begin: func(sim *simengine.Sim, n *node) {
				at := desired.Endpoint{IP: "0.0.0.0", Port: 7000, Protocol: desired.TCP}
				if err := n.store.AddPorts(n.t.Context(), []desired.Endpoint{at}); err != nil {
					n.t.Fatal(err)
				}
				sim.OccupyPort(7000, "tcp")
				n.create("a", func(s *desired.Spec) { running(s); s.Ports = []desired.Port{{IP: at.IP, Port: at.Port}} })
			},
			fix:    func(sim *simengine.Sim, _ *node) { sim.FreePort(7000, "tcp") },
			reason: status.ReasonPortUnavailable, event: "Blocked",
			tries: calls("POST", "/containers/{id}/start"), apart: 16 * time.Second,
		},
		"an image that cannot be pulled": {
			begin: func(_ *simengine.Sim, n *node) {
				n.create("a", func(s *desired.Spec) { running(s); s.Image = "none:1" })
			},
			fix:    func(sim *simengine.Sim, _ *node) { sim.Publish("none:1", simengine.Remote{}) },
			reason: status.ReasonImageUnavailable, event: "PullFailed",
			tries: calls("POST", "/images/create"), apart: 5*time.Minute + time.Second, // it is refused
		},
		"a mount that is not there": {
			begin: func(sim *simengine.Sim, n *node) {
				n.create("a", running)
				n.waitState("a", status.StateRunning)
				gone.Store(1)
				n.change("a", func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
			},
			fix:    func(*simengine.Sim, *node) { gone.Store(0) },
			reason: status.ReasonMountUnavailable, event: "Blocked",
			tries: func(*simengine.Sim) int { return int(inspects.Load()) }, apart: 16 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, log := logged(slog.LevelInfo)
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) { c.play(t, sim, n, text) }, log, mounts)
		})
	}
}

func (c failingStep) play(t *testing.T, sim *simengine.Sim, n *node, text *logText) {
	c.begin(sim, n)
	n.wait("a", "failed", func(st status.Status) bool { return st.Get(status.Synced).Reason == c.reason })
	time.Sleep(time.Second)
	was, _ := n.statuses.Get("a")
	lines, tries := len(text.lines("")), c.tries(sim)
	time.Sleep(10 * time.Minute)
	if made := c.tries(sim) - tries; made < 2 {
		t.Fatalf("%d attempts: this test shows nothing", made)
	}
	is, _ := n.statuses.Get("a")
	if is.Version != was.Version {
		t.Errorf("%d records of an equal status; it was %+v, is %+v", is.Version-was.Version, was.Conditions, is.Conditions)
	}
	if got := text.lines("")[lines:]; len(got) > 0 {
		t.Errorf("logged again: %q", got)
	}
	if got := text.lines("level=WARN", "container=a", "type="+c.event); len(got) != 1 {
		t.Errorf("%d lines for a shipper: %q", len(got), got)
	}
	if got := strings.Count(n.events("a"), c.event); got != 1 {
		t.Errorf("%d events of it: %s", got, n.events("a"))
	}
	next := n.controller.NextAttempt("a")
	if in := time.Until(next.At); in <= 0 || in > c.apart || next.Number < 3 {
		t.Errorf("the next attempt is %+v, in %s", next, in)
	}
	spec, _ := n.store.Container("a")
	if p := n.controller.Simulate(spec); p.Attempt != next || p.Waits == nil || p.Waits.Reason != c.reason {
		t.Errorf("the plan is %+v, the next attempt %+v", p, next)
	}
	c.fix(sim, n)
	time.Sleep(c.apart)
	n.waitState("a", status.StateRunning)
	if next := n.controller.NextAttempt("a"); next.Number != 0 {
		t.Errorf("an attempt is announced of what runs: %+v", next)
	}
}
