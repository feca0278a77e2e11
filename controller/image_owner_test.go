package controller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// notAllowed reports whether an image is refused for whose it is.
func notAllowed(st status.Status) bool {
	return st.Get(status.Synced).Reason == status.ReasonImageNotAllowed
}

// TestSnapshotUnderAnotherName: somebody gives the snapshot of a container another name, and takes its
// own from it. Neither a run container nor an install container is made from it.
func TestSnapshotUnderAnotherName(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Change("/usr/secret", 1) })
		n.create("victim", func(s *desired.Spec) { s.Power, s.InstallScript = desired.PowerRunning, "make secret" })
		snapshot := n.waitState("victim", status.StateRunning).Install.Snapshot
		byExternal(sim, "POST", "/images/"+snapshot+"/tag?repo=innocent&tag=latest", "")
		n.create("attacker", func(s *desired.Spec) { s.Power, s.Image = desired.PowerRunning, "innocent:latest" })
		n.create("installer", func(s *desired.Spec) { s.InstallScript, s.Image = "cat /usr/secret", "innocent:latest" })
		refused := func() {
			for _, id := range []string{"attacker", "installer"} {
				st := n.wait(id, "refused", notAllowed)
				if message := st.Get(status.Synced).Message; !strings.Contains(message, "another container") || strings.Contains(message, "victim") {
					t.Error(message)
				}
			}
			for _, name := range sim.Names() {
				if name != "lightd-victim" {
					t.Errorf("%s exists", name)
				}
			}
		}
		refused()
		sim.Inject(simengine.Rule{Method: "POST", Route: "/images/load", Status: 500, Message: "no"})
		byExternal(sim, "DELETE", "/images/"+snapshot+"?force=1", "")
		time.Sleep(time.Minute)
		refused()
		if st, _ := n.statuses.Get("victim"); st.State != status.StateRunning {
			t.Error(st.State)
		}
		byExternal(sim, "POST", "/images/"+harness.Busybox()+"/tag?repo=innocent&tag=latest", "")
		n.waitState("attacker", status.StateRunning)
	})
}

// TestSnapshotMovedUnderACreation: the name leads to the snapshot of another container only while the
// container is created. It is not started.
func TestSnapshotMovedUnderACreation(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Change("/usr/secret", 1) })
		n.create("victim", func(s *desired.Spec) { s.Power, s.InstallScript = desired.PowerRunning, "make secret" })
		snapshot := n.waitState("victim", status.StateRunning).Install.Snapshot
		sim.AddImage("innocent:latest", simengine.ImageConfig{})
		n.waitSynced(n.create("attacker", func(s *desired.Spec) { s.Image = "innocent:latest" }))
		creation := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/create", Delay: time.Second})
		n.change("attacker", func(c *desired.Container) { c.Env, c.Power = map[string]string{"A": "b"}, desired.PowerRunning })
		for creation.Hits() == 0 {
			time.Sleep(time.Millisecond)
		}
		byExternal(sim, "POST", "/images/"+snapshot+"/tag?repo=innocent&tag=latest", "")
		n.wait("attacker", "refused", notAllowed)
		if run, err := sim.Inspect("lightd-attacker"); err == nil && run.State.Running {
			t.Error("it runs")
		}
	})
}
