package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDamagedDatabaseAndABackup: the way of "lightd docs damage" gives the node its database of the backup, while the
// engine still has its containers, and a database alone that is exchanged is refused as that of a copy.
func TestDamagedDatabaseAndABackup(t *testing.T) {
	t.Parallel()
	_, n := onSim(t)
	volume, _ := n.volume()
	n.send("POST", "/containers?wait=running&timeout=30s", spec("kept", volume, `"power":"running"`)).want(201, "")
	file, restored, db := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored"), filepath.Join(n.dir, "db")
	for _, args := range [][]string{{"backup", file}, {"restore", "--data-dir", restored, file}, {"restore", "--take-over", "--data-dir", restored + "2", file}} {
		if _, errOut, code := n.tool(args...); code != 0 {
			t.Fatalf("%v: exit code %d, %s", args, code, errOut)
		}
	}
	n.terminate()
	exchange := func(from string) {
		t.Helper()
		for _, err := range []error{os.RemoveAll(db), os.Rename(filepath.Join(from, "db"), db)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	exchange(restored)
	_, stderr, code := call(t, nil, append([]string{"serve", "--data-dir", n.dir, "--listen", "127.0.0.1:0"}, n.engine...)...)
	if code != 1 || !strings.Contains(stderr, "restored") || !strings.Contains(stderr, "--take-over") {
		t.Errorf("without --take-over: exit code %d, %s", code, stderr)
	}
	exchange(restored + "2")
	n.start()
	n.until("kept", "running", running)
	n.terminate()
}
