package controller_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lightd/controller"
	"lightd/controller/datadir"
	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// slowFiles are files whose check or write takes long while slow is set.
type slowFiles struct {
	*datadir.Dir
	check, write *atomic.Int64 // how long each takes
	within       *atomic.Int32
}

func (f slowFiles) EntrypointOK(s desired.Spec) bool {
	defer f.takes(f.check)()
	return f.Dir.EntrypointOK(s)
}

func (f slowFiles) WriteEntrypoint(s desired.Spec) error {
	defer f.takes(f.write)()
	return f.Dir.WriteEntrypoint(s)
}

func (f slowFiles) takes(d *atomic.Int64) (over func()) {
	f.within.Add(1)
	time.Sleep(time.Duration(d.Load()))
	return func() { f.within.Add(-1) }
}

// TestNothingOutlivesRun: neither a decision nor a step, of which no deadline makes an end.
func TestNothingOutlivesRun(t *testing.T) {
	for name, c := range map[string]struct{ check, write time.Duration }{
		"a decision": {check: time.Minute},
		"a step":     {write: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			var check, write atomic.Int64
			var within atomic.Int32
			inBubble(t, func(t *testing.T, _ *simengine.Sim, n *node) {
				check.Store(int64(c.check))
				write.Store(int64(c.write))
				n.create("a", nil)
				time.Sleep(10 * time.Second)
				if within.Load() == 0 {
					t.Error("nothing is under way: this test shows nothing")
				}
				n.stop()
				if left := within.Load(); left != 0 {
					t.Errorf("%d go on", left)
				}
			}, func(o *setup) {
				o.files = func(d *datadir.Dir) controller.Data { return slowFiles{d, &check, &write, &within} }
			})
		})
	}
}

// TestDaemonThatStops waits for no call that hangs, and takes none that it cuts off for a failure
// of the engine.
func TestDaemonThatStops(t *testing.T) {
	var mu sync.Mutex
	var failures []string
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		hung := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/create", Hang: true})
		n.create("a", nil)
		awaitCalls(t, hung, 1)
		began := time.Now()
		n.stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(failures) > 0 {
			t.Errorf("failures: %q", failures)
		}
	}, func(o *setup) {
		o.log = logHook(func(r slog.Record) {
			if r.Level >= slog.LevelWarn {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, r.Message+": "+attrOf(r, "error"))
			}
		})
	})
}

// TestIDThatComesBackStartsOver: the failures of the container before, and the backoff after
// them, went with it.
func TestIDThatComesBackStartsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		failing := simengine.Rule{Method: "POST", Route: "/containers/create", Status: 500, Message: "no"}
		failure := sim.Inject(failing)
		running := func(s *desired.Spec) { s.Power = desired.PowerRunning }
		n.create("a", running)
		time.Sleep(10 * time.Minute)
		n.change("a", requestDelete)
		n.gone("a")
		failing.Times = 2
		failure.Release()
		sim.Inject(failing)
		began := time.Now()
		n.create("a", running)
		n.waitState("a", status.StateRunning)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("running after %s", took)
		}
	})
}

// TestMissingMountIsWaitedFor: nothing is created without it, and a start that fails reports it.
func TestMissingMountIsWaitedFor(t *testing.T) {
	var gone atomic.Bool
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		unavailable := func(st status.Status) bool {
			return st.Get(status.Synced).Reason == status.ReasonMountUnavailable
		}
		sim.OnCommand("install-entry.sh", func(context.Context, *simengine.Process) {})
		n.waitSynced(n.create("old", nil))
		gone.Store(true)
		c := n.create("new", nil)
		script := n.create("script", func(s *desired.Spec) { s.InstallScript = "true" })
		for _, id := range []string{"new", "script"} {
			n.wait(id, "waiting for the mount", unavailable)
		}
		if made := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/create"}); made != 1 {
			t.Errorf("%d containers made", made)
		}
		sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Status: 500, Message: "no", Times: 1})
		n.change("old", requestStart)
		n.wait("old", "waiting for the mount", unavailable)
		gone.Store(false)
		began := time.Now()
		n.waitSynced(c)
		n.waitSynced(script)
		n.waitState("old", status.StateRunning)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("observed %s after it came back", took)
		}
	}, func(o *setup) {
		o.resync = 24 * time.Hour
		o.mounts = func(desired.Spec) error {
			if gone.Load() {
				return desired.Invalid("mount", "it is not there")
			}
			return nil
		}
	})
}
