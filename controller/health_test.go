package controller_test

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// TestHealthRestartsThroughBackoff: a process whose check fails is restarted later and later; one whose check
// passes is left, and nothing is written for a check that finds the same.
func TestHealthRestartsThroughBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		var code atomic.Int32
		sim.OnCommand("./probe", func(_ context.Context, p *simengine.Process) { p.Exit(int(code.Load())) })
		n.create("a", func(s *desired.Spec) {
			s.Power = desired.PowerRunning
			s.Health = &desired.Health{Command: "./probe", Every: desired.Duration(time.Second), Failures: 2, OnFailure: desired.FailureRestart}
		})
		well := func(st status.Status) bool { return st.Get(status.Healthy).Status == status.True }
		before := n.wait("a", "healthy", well)
		began := startedAt(t, sim, "a")
		time.Sleep(10 * time.Minute)
		if st, _ := n.statuses.Get("a"); st.Version != before.Version || !startedAt(t, sim, "a").Equal(began) {
			t.Errorf("%d writes while nothing changed", st.Version-before.Version)
		}
		code.Store(7)
		n.wait("a", "a backoff", func(st status.Status) bool { return st.Crashes == 4 })
		if e := n.lastEvent("a", journal.Unhealthy); e.Message != "the command ended with exit code 7" {
			t.Errorf("event %+v", e)
		}
		for _, of := range []journal.Type{journal.Healthy, journal.Stopping, journal.BackOff} {
			if n.lastEvent("a", of).Seq == 0 {
				t.Errorf("no event %s", of)
			}
		}
		code.Store(0)
		st := n.wait("a", "healthy again", well)
		if st.Restarts != 4 {
			t.Errorf("%d restarts", st.Restarts)
		}

		// Without the check, and after a restart of the daemon, nothing is restarted.
		n.stop()
		code.Store(1)
		n = n.restart()
		n.change("a", func(c *desired.Container) { c.Health.OnFailure = desired.FailureNone })
		began = startedAt(t, sim, "a")
		n.wait("a", "unhealthy", func(st status.Status) bool { return st.Get(status.Healthy).Status == status.False })
		time.Sleep(time.Minute)
		if !startedAt(t, sim, "a").Equal(began) {
			t.Error("it was restarted")
		}
	})
}

// TestEngineHangsDuringACheck: a command that the engine can report the end of no more has not failed.
func TestEngineHangsDuringACheck(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		var hangs atomic.Bool
		sim.OnCommand("./probe", func(ctx context.Context, p *simengine.Process) {
			if hangs.Load() {
				_, _ = io.WriteString(p.Stdout(), "7\n") // its process id
				<-ctx.Done()
				return
			}
			p.Exit(0)
		})
		n.create("a", func(s *desired.Spec) {
			s.Power = desired.PowerRunning
			s.Health = &desired.Health{Command: "./probe", Every: desired.Duration(time.Second), Timeout: desired.Duration(5 * time.Second), Failures: 1, OnFailure: desired.FailureRestart}
		})
		n.wait("a", "healthy", func(st status.Status) bool { return st.Get(status.Healthy).Status == status.True })
		began := startedAt(t, sim, "a")
		hangs.Store(true)
		time.Sleep(3 * time.Second) // one has begun
		all := sim.Inject(simengine.Rule{Hang: true})
		time.Sleep(20 * time.Second)
		hangs.Store(false)
		all.Release()
		time.Sleep(time.Minute)
		if e := n.lastEvent("a", journal.Unhealthy); e.Seq != 0 || !startedAt(t, sim, "a").Equal(began) {
			t.Errorf("unhealthy for an engine that hangs: %+v", e)
		}
		hangs.Store(true)
		n.wait("a", "a failure", func(status.Status) bool { return n.lastEvent("a", journal.Unhealthy).Seq != 0 })
	})
}
