package main

import (
	"fmt"
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
		flags []string
	}{
		"renamed":           {os.Rename, false, nil},
		"copied":            {func(from, to string) error { return os.CopyFS(to, os.DirFS(from)) }, false, []string{"--take-over"}},
		"reached by a link": {os.Symlink, true, nil},
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
			n.start(c.flags...)
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

// refused starts the daemon, which is to end at once, and returns what it said.
func (n *node) refused(args ...string) string {
	n.t.Helper()
	_, stderr, code := call(n.t.(*testing.T), nil, append([]string{"serve", "--data-dir", n.dir, "--listen", "127.0.0.1:0"}, args...)...)
	if code != 1 {
		n.t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	return stderr
}

// copyOf copies the data directory of a daemon that is stopped.
func (n *node) copyOf() *node {
	n.t.Helper()
	dir := filepath.Join(n.t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(n.dir)); err != nil {
		n.t.Fatal(err)
	}
	return &node{t: n.t, dir: dir}
}

const touches = `"power":"running","start_pattern":"up","startup_command":"echo ran >> runs; echo up; exec sleep 1000"`

// TestCopyIsRefused beside the original, dead or alive, until somebody says which is the node;
// and the one that is not ends, and touches nothing.
func TestCopyIsRefused(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, path := n.volume()
	n.send("POST", "/containers", spec("copied", volume, touches)).want(201, "")
	before := n.until("copied", "running", running)
	n.terminate()
	c := n.copyOf()
	for _, alive := range []bool{false, true} {
		if alive {
			n.start()
			n.until("copied", "running", running)
		}
		said := c.refused()
		for _, word := range []string{c.dir, "--take-over", "--new-instance", "1 container"} {
			if !strings.Contains(said, word) {
				t.Errorf("it said %q, not %q", said, word)
			}
		}
	}
	if said := c.refused("--docker-host", nowhere); !strings.Contains(said, "does not answer") {
		t.Errorf("without an engine it said %q", said)
	}
	if now := n.until("copied", "running", running); now.ContainerID != before.ContainerID {
		t.Error("the container of the original was touched")
	}

	c.start("--take-over")
	n.awaitExit() // at the latest with the first container that the copy makes
	if code := n.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(n.log.String(), "was taken over") {
		t.Errorf("the original ended with %d:\n%s", code, n.log)
	}
	c.until("copied", "running there", func(now view) bool { return running(now) && now.ContainerID != before.ContainerID })
	ran := func(dir string, times int) func() error { // a program is running before it has done anything
		return func() error {
			if got := lines(t, filepath.Join(dir, "runs")); len(got) != times {
				return fmt.Errorf("it ran %d times in %s, not %d", len(got), dir, times)
			}
			return nil
		}
	}
	poll(t, ran(filepath.Join(c.dir, "volumes", volume), 2))
	if got := lines(t, filepath.Join(path, "runs")); len(got) != 1 {
		t.Errorf("in the original: %v", got)
	}
	c.terminate()

	n.startRefused() // the engine knows the other one
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	n.start("--take-over")
	n.until("copied", "running in the original", running)
	poll(t, ran(path, 2))
	n.terminate()
	n.start() // and needs no flag from then on
	n.until("copied", "running", running)
	n.terminate()
}

// startRefused starts the daemon, which is to end as soon as it has seen the engine.
func (n *node) startRefused() {
	n.t.Helper()
	n.start()
	n.awaitExit()
	if code := n.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(n.log.String(), "was taken over") {
		n.t.Errorf("it ended with %d:\n%s", code, n.log)
	}
}

// TestCopyAsAnInstanceOfItsOwn leaves the original alone, and is told of names that are taken.
func TestCopyAsAnInstanceOfItsOwn(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, path := n.volume()
	n.send("POST", "/containers", spec("shared", volume, touches)).want(201, "")
	before := n.until("shared", "running", running)
	n.terminate()
	c := n.copyOf()
	t.Cleanup(c.sweep)
	n.start()
	c.start("--new-instance")
	c.until("shared", "kept from its name", func(now view) bool { return now.reason("Synced", "False") == "NameTaken" })
	own, _ := c.volume()
	c.send("POST", "/containers", spec("rehearsed", own, touches)).want(201, "")
	c.until("rehearsed", "running", running)
	if now := n.until("shared", "running", running); now.ContainerID != before.ContainerID || len(lines(t, filepath.Join(path, "runs"))) != 1 {
		t.Error("the container of the original was touched")
	}
	c.terminate()
	c.start() // the choice is kept
	c.until("rehearsed", "running", running)
	c.delete("rehearsed")
	c.terminate()
	n.terminate()
}
