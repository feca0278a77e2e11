package controller_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/observed/status"
)

// TestRemainsOnARealEngine: containerd keeps the directory of a task that it has lost track of, and starts no container of
// that id any more. Another one takes its place, with the same volume.
func TestRemainsOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	n.create("remains", func(s *desired.Spec) {
		s.Power, s.StartupCommand = desired.PowerRunning, "echo run >> runs; exec sleep 1000"
	})
	n.waitState("remains", status.StateRunning)
	was := n.inspect("remains").ContainerID
	process, _, err := n.engine.Process(t.Context(), was)
	if err != nil {
		t.Fatal(err)
	}
	directory := taskDirectory(t, process)
	if !strings.HasSuffix(directory, was) {
		t.Fatalf("the shim of the process is not containerd's: it is in %s", directory)
	}
	n.change("remains", requestStop)
	n.waitState("remains", status.StateOffline)
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(directory)
	c := n.change("remains", func(c *desired.Container) { c.Power = desired.PowerRunning })
	n.waitState("remains", status.StateRunning)
	n.waitSynced(c)
	if is := n.inspect("remains").ContainerID; is == was {
		t.Errorf("container %s runs, which was not to start", is)
	}
	if runs := n.runs(c); runs != 2 {
		t.Errorf("it ran %d times on its volume", runs)
	}
}

// taskDirectory is the directory of a containerd task, which its shim, the parent of the first process, works in.
func taskDirectory(t *testing.T, process int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process))
	if err != nil {
		t.Fatal(err)
	}
	_, behind, _ := strings.Cut(string(stat), ") ")
	var state string
	var parent int
	if _, err := fmt.Sscan(behind, &state, &parent); err != nil {
		t.Fatalf("the parent of process %d: %v", process, err)
	}
	directory, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", parent))
	if err != nil {
		t.Fatal(err)
	}
	return directory
}
