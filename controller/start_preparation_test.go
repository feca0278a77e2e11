package controller_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestAllIsInPlaceBeforehand: the files of a container before it is created, and its output attached
// before it is started.
func TestAllIsInPlaceBeforehand(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.OnCommand("install-entry.sh", func(context.Context, *simengine.Process) {})
		made := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/create", Delay: time.Second})
		script := n.create("script", func(s *desired.Spec) { s.InstallScript = "true" })
		n.create("none", func(s *desired.Spec) { s.StartPattern, s.Power = "up", desired.PowerRunning })
		awaitCalls(t, made, 2)
		for _, file := range []string{"script/install.sh", "script/install-entry.sh", "none"} {
			if _, err := os.Stat(filepath.Join(n.data.Path(""), file)); err != nil {
				t.Error(err)
			}
		}
		st := n.wait("none", "started", func(st status.Status) bool { return st.Run.ContainerID != "" })
		followed, started := false, false
		for _, call := range sim.Calls() {
			of := call.Target == st.ContainerID
			followed = followed || of && call.Route == "/containers/{id}/attach"
			started = started || of && call.Route == "/containers/{id}/start"
			if started && !followed {
				t.Fatal("it is started with nothing attached to its first line")
			}
		}
		n.waitSynced(script)
		if _, err := os.Stat(filepath.Join(n.data.Path("script"), "install-entry.sh")); err == nil {
			t.Error("what can hold secrets stays after the installation")
		}
	})
}
