package controller_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/observed/status"
)

// TestHostnameOnARealEngine is the same for the install script and for every container after it.
func TestHostnameOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	spec := n.create("game_1.", func(s *desired.Spec) {
		s.Power, s.StartPattern = desired.PowerRunning, "^host game-1$"
		s.InstallScript = "hostname > installed"
		s.StartupCommand = "echo host $(hostname); sleep 100000"
	})
	before := n.waitState("game_1.", status.StateRunning)
	text, err := os.ReadFile(filepath.Join(n.volumes.Path(spec.VolumeID), "installed"))
	if err != nil || strings.TrimSpace(string(text)) != "game-1" {
		t.Errorf("the install script ran on host %q, %v", text, err)
	}
	running := func(c desired.Container) status.Status {
		return n.wait(c.InternalID, "running", func(st status.Status) bool {
			return st.State == status.StateRunning && st.ObservedGeneration == c.Generation && synced(st)
		})
	}
	after := running(n.change("game_1.", func(c *desired.Container) { c.Env = map[string]string{"A": "b"} }))
	if after.ContainerID == before.ContainerID {
		t.Error("it was not recreated: the test shows nothing")
	}
	running(n.change("game_1.", func(c *desired.Container) { c.Hostname, c.StartPattern = "lobby.example", `^host lobby\.example$` }))
}
