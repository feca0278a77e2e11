package controller_test

import (
	"context"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestSnapshotIsNamedOnce on an engine whose events of images come later than their changes: what
// was done is not done again before it was inspected.
func TestSnapshotIsNamedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Change("/usr/tool", 1) })
		n.create("a", func(s *desired.Spec) { s.Power, s.InstallScript = desired.PowerRunning, "make tool" })
		snapshot := n.waitState("a", status.StateRunning).Install.Snapshot
		if snapshot == "" {
			t.Fatal("there is no snapshot")
		}
		sim.Inject(simengine.Rule{Method: "GET", Route: "/images/{name}/json", Delay: time.Second, After: true})
		byExternal(sim, "DELETE", "/images/"+snapshot+"?force=1", "")
		time.Sleep(time.Minute)
		if !sim.HasImage(snapshot) {
			t.Error("it has no name")
		}
		if named := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/images/{name}/tag"}); named != 1 {
			t.Errorf("it was named %d times", named)
		}
		run, err := sim.Inspect("lightd-a")
		if err != nil {
			t.Fatal(err)
		}
		if found, err := n.engine.Image(t.Context(), snapshot); err != nil || found.ImageID != run.Image {
			t.Errorf("it is the name of %q, %v, and the container runs on %q", found.ImageID, err, run.Image)
		}
		n.waitSynced(n.change("a", requestStop))
	})
}
