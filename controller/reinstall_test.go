package controller_test

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestReinstallWhileTheEndIsKept: what was about to be recorded of the installation before does not
// count for the one that was requested since.
func TestReinstallWhileTheEndIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		code int
		slow simengine.Rule
		want status.InstallState
	}{
		"that went well": {0, simengine.Rule{Method: "POST", Route: "/commit"}, status.Ready},
		"that failed":    {1, simengine.Rule{Method: "GET", Route: "/containers/{id}/logs"}, status.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				var ran atomic.Int32
				sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) {
					fmt.Fprintf(p.Stdout(), "run %d", ran.Add(1))
					p.Change("/usr/tool", 1)
					p.Exit(c.code)
				})
				c.slow.Delay, c.slow.Times = 5*time.Second, 1
				slow := sim.Inject(c.slow)
				n.create("a", func(s *desired.Spec) { s.InstallScript = "make tool" })
				awaitCalls(t, slow, 1)
				if st := n.waitSynced(n.change("a", reinstall)); st.InstallState != c.want || ran.Load() != 2 {
					t.Errorf("%s after %d runs", st.InstallState, ran.Load())
				}
				log, err := n.data.InstallLog("a")
				if err != nil {
					t.Fatal(err)
				}
				defer log.Close()
				if text, err := io.ReadAll(log); err != nil || string(text) != "run 2" {
					t.Errorf("kept %q, %v", text, err)
				}
			})
		})
	}
}

// TestScriptThatChangesNoImage leaves none behind.
func TestScriptThatChangesNoImage(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Change("/home/container", 1) })
		st := n.waitSynced(n.create("a", func(s *desired.Spec) { s.InstallScript = "true" }))
		if kept := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/commit"}); kept != 0 || st.Install.Snapshot != "" {
			t.Errorf("%d images kept, of which %q is used", kept, st.Install.Snapshot)
		}
	})
}

// TestSnapshotOfAnIDThatComesBack has the name of one that is gone; no event need report that
// it is there again.
func TestSnapshotOfAnIDThatComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		before := n.waitSynced(installing(sim, n, "a")).Install.Snapshot
		n.change("a", requestDelete)
		n.gone("a")
		time.Sleep(time.Second)
		if sim.HasImage(before) {
			t.Fatal("the image of what is gone is still there")
		}
		sim.InterceptEvents(simengine.DropEvents(nil))
		c := installing(sim, n, "a")
		time.Sleep(time.Minute)
		if st, _ := n.statuses.Get("a"); st.ObservedGeneration != c.Generation || st.InstallState != status.Ready || st.Install.Snapshot != before {
			t.Errorf("it is %+v", st)
		}
	})
}
