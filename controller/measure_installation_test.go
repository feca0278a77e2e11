package controller_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/status"
)

const measuring = "/containers/{id}/json"

// filling is a container whose install script writes n bytes outside of its volume and runs on.
func filling(sim *simengine.Sim, n *node, id string, bytes int64, took time.Duration) desired.Container {
	sim.OnCommand("install-entry.sh", func(ctx context.Context, p *simengine.Process) {
		fmt.Fprintln(p.Stdout(), "filling")
		if err := sim.SetLayerSize(p.Name(), bytes); err != nil {
			n.t.Error(err)
		}
		p.Change("/junk", 1)
		select {
		case <-ctx.Done():
		case <-time.After(took):
		}
	})
	return n.create(id, func(s *desired.Spec) { s.InstallScript = "fill" })
}

func bounded(o *setup) { o.layer = 4 << 20 }

// checkRefused checks that an installation beyond its bound left nothing but its output.
func checkRefused(t *testing.T, sim *simengine.Sim, n *node, id string) {
	t.Helper()
	st := n.wait(id, "failed", func(st status.Status) bool { return st.InstallState == status.Failed })
	got := st.Get(status.Installed)
	if got.Reason != status.ReasonInstallScriptFailed || got.Message != "the installation wrote more than 4m outside the volume (containers.max_installation)" {
		t.Errorf("%+v", got)
	}
	n.wait(id, "removed", func(status.Status) bool {
		return !strings.Contains(strings.Join(sim.Names(), " "), observed.InstallName(id))
	})
	if commits := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/commit"}); commits != 0 || st.Install.Snapshot != "" {
		t.Errorf("%d commits, snapshot %q", commits, st.Install.Snapshot)
	}
	if _, err := n.data.InstallLog(id); err != nil {
		t.Errorf("its output: %v", err)
	}
}

func TestScriptThatFillsTheDiskIsKilled(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		began := time.Now()
		filling(sim, n, "a", 5<<20, time.Hour)
		checkRefused(t, sim, n, "a")
		if took := time.Since(began); took > 17*time.Second {
			t.Errorf("killed after %s", took)
		}
		if got := n.events("a"); got != "Started CreatingContainer ContainerCreated RunningInstallScript Error" {
			t.Errorf("events %s", got)
		}
	}, bounded)
}

// TestScriptThatEndsBeforeItIsMeasured is measured before what it did is kept.
func TestScriptThatEndsBeforeItIsMeasured(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		filling(sim, n, "a", 5<<20, time.Second)
		checkRefused(t, sim, n, "a")
	}, bounded)
}

// TestScriptThatFillsTheDataDirectorysDisk is killed and removed though nothing can be recorded.
func TestScriptThatFillsTheDataDirectorysDisk(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		filling(sim, n, "a", 5<<20, time.Hour)
		time.Sleep(5 * time.Second)
		free.Store(0)
		time.Sleep(30 * time.Second)
		if names := sim.Names(); len(names) != 0 {
			t.Errorf("%v are left", names)
		}
		free.Store(1 << 40)
		checkRefused(t, sim, n, "a")
	}, bounded, func(o *setup) { o.free = func(string) (uint64, error) { return free.Load(), nil } })
}

// TestMeasurementThatFails holds no installation up, and the next one counts.
func TestMeasurementThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		rule  simengine.Rule
		bytes int64
		took  time.Duration
		ready bool
	}{
		"each time":               {simengine.Rule{Status: 500, Message: "no size"}, 1 << 20, 40 * time.Second, true},
		"after the script":        {simengine.Rule{Status: 503, Message: "no size"}, 1 << 20, time.Second, true},
		"once, of one that ended": {simengine.Rule{Delay: time.Hour, Times: 1}, 1 << 20, time.Second, true},
		"once, of one that fills": {simengine.Rule{Status: 500, Message: "no size", Times: 1}, 5 << 20, time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				c.rule.Method, c.rule.Route, c.rule.Query = "GET", measuring, "size"
				sim.Inject(c.rule)
				spec := filling(sim, n, "a", c.bytes, c.took)
				if !c.ready {
					checkRefused(t, sim, n, "a")
					return
				}
				if st := n.waitSynced(spec); st.InstallState != status.Ready || st.Install.Snapshot == "" {
					t.Errorf("%s, snapshot %q; events %s", st.InstallState, st.Install.Snapshot, n.events("a"))
				}
			}, bounded)
		})
	}
}

// TestMeasurementThatTakesTooLong fails the installation when it happens twice in a row: of a script
// that runs on and of one that has ended.
func TestMeasurementThatTakesTooLong(t *testing.T) {
	for name, took := range map[string]time.Duration{"runs": time.Hour, "ended": time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				sim.Inject(simengine.Rule{Method: "GET", Route: measuring, Query: "size", Delay: time.Hour})
				began := time.Now()
				filling(sim, n, "a", 1<<20, took)
				st := n.wait("a", "failed", func(st status.Status) bool { return st.InstallState == status.Failed })
				if got := st.Get(status.Installed).Message; !strings.Contains(got, "too many files to be measured in time") || st.Install.Snapshot != "" {
					t.Errorf("%s, snapshot %q", got, st.Install.Snapshot)
				}
				if took := time.Since(began); took > 3*time.Minute {
					t.Errorf("failed after %s", took)
				}
			}, bounded)
		})
	}
}

// TestDeletionCutsAMeasurementOff.
func TestDeletionCutsAMeasurementOff(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		slow := sim.Inject(simengine.Rule{Method: "GET", Route: measuring, Query: "size", Delay: time.Hour})
		filling(sim, n, "a", 0, time.Hour)
		time.Sleep(20 * time.Second)
		if slow.Hits() != 1 {
			t.Fatalf("measured %d times", slow.Hits())
		}
		began := time.Now()
		n.change("a", requestDelete)
		n.gone("a")
		if took := time.Since(began); took > time.Second {
			t.Errorf("deleted after %s", took)
		}
	}, bounded)
}

// TestLargestInstallationIsEndedForTheDisk: of two scripts that write while the disk falls below its floor the
// larger one is killed, and the other one goes on once that has made room.
func TestLargestInstallationIsEndedForTheDisk(t *testing.T) {
	var free atomic.Uint64
	free.Store(10 << 30)
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.OnCommand("install-entry.sh", func(ctx context.Context, p *simengine.Process) {
			bytes := int64(200 << 20)
			if p.Name() == observed.InstallName("large") {
				bytes = 800 << 20
			}
			if err := sim.SetLayerSize(p.Name(), bytes); err != nil {
				t.Error(err)
			}
			p.Change("/tool", 1)
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
		})
		script := func(s *desired.Spec) { s.InstallScript = "fill" }
		small := n.create("small", script)
		n.create("large", script)
		time.Sleep(20 * time.Second)
		free.Store(100 << 20)
		began := time.Now()
		st := n.wait("large", "failed", func(st status.Status) bool { return st.InstallState == status.Failed })
		free.Store(900 << 20)
		if got := st.Get(status.Installed); got.Reason != status.ReasonInstallScriptFailed || !strings.HasPrefix(got.Message, "100 MiB are free on the engine's disk at /engine, below 256 MiB") {
			t.Errorf("%+v", got)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("ended after %s", took)
		}
		if st := n.waitSynced(small); st.InstallState != status.Ready || st.Install.Snapshot == "" {
			t.Errorf("%s, events %s", st.InstallState, n.events("small"))
		}
	}, func(o *setup) {
		o.layer = 10 << 30
		o.disk = func() plan.Disk { return plan.Disk{Path: "/engine", Total: 100 << 30, Free: free.Load()} }
	})
}
