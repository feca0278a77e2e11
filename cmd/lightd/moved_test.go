package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataDirectoryMoves on one machine: the container is made anew with the directories
// that the daemon has now, and never goes on with those of before.
func TestDataDirectoryMoves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		move  func(from, to string) error
		stays bool
	}{
		"renamed":           {os.Rename, false},
		"copied":            {func(from, to string) error { return os.CopyFS(to, os.DirFS(from)) }, false},
		"reached by a link": {os.Symlink, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			volume, old := n.volume()
			id := "e2e-" + strings.ReplaceAll(name, " ", "-")
			n.send("POST", "/containers", spec(id, volume,
				`"power":"running","start_pattern":"up","startup_command":"echo ran >> runs; echo up; exec sleep 1000"`)).want(201, "")
			before := n.until(id, "running", running)
			n.terminate()
			dir := filepath.Join(t.TempDir(), "elsewhere")
			if err := c.move(n.dir, dir); err != nil {
				t.Fatal(err)
			}
			n.dir = dir
			n.start()
			runs := 2
			if c.stays {
				runs = 1
			}
			n.until(id, "running", func(now view) bool { return running(now) && (now.ContainerID == before.ContainerID) == c.stays })
			if got := lines(t, filepath.Join(dir, "volumes", volume, "runs")); len(got) != runs {
				t.Errorf("in the volume: %v", got)
			}
			if got := lines(t, filepath.Join(old, "runs")); len(got) > 1 {
				t.Errorf("it went on with the old volume: %v", got)
			}
		})
	}
}
