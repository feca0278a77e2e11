package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nowhere is an engine that is not there.
const nowhere = "unix:///nonexistent/docker.sock"

// answers waits until a path is answered so.
func (n *node) answers(path string, status int, text string) {
	n.t.Helper()
	poll(n.t, func() error {
		if a := n.send("GET", path, ""); a.status != status || !strings.Contains(a.text, text) {
			return fmt.Errorf("GET %s: %d %s, want %d with %q", path, a.status, a.text, status, text)
		}
		return nil
	})
}

// TestDamagedDatabaseIsRefused with what an operator needs to know, and with nothing else
// touched.
func TestDamagedDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	n := &node{t: t, dir: t.TempDir()}
	n.start("--docker-host", nowhere)
	volume, path := n.volume()
	n.send("POST", "/containers", spec("kept", volume, "")).want(201, "")
	n.terminate()
	manifest := filepath.Join(n.dir, "db", "MANIFEST")
	if err := os.Rename(manifest, manifest+".away"); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := call(t, nil, "serve", "--data-dir", n.dir, "--listen", "127.0.0.1:0", "--docker-host", nowhere)
	for _, word := range []string{filepath.Join(n.dir, "db"), "MANIFEST is missing", "Restore", "lightd docs damage"} {
		if code != 1 || !strings.Contains(stderr, word) {
			t.Errorf("exit code %d, and it said %q, not %q", code, stderr, word)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the volume: %v", err)
	}
	if err := os.Rename(manifest+".away", manifest); err != nil {
		t.Fatal(err)
	}
	n.start("--docker-host", nowhere) // it was found again
	n.send("GET", "/containers/kept", "").want(200, "")
	n.terminate()
}
