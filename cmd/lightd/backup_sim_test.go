package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"lightd/hack/eventually"
)

// TestBackupAndRestore: a backup that is made while clients write makes a node that has all that was
// answered before it, whatever becomes of the one it was made of.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	sim, n := onSim(t)
	volume, path := n.volume()
	if err := os.WriteFile(filepath.Join(path, "world"), []byte("a world"), 0o644); err != nil {
		t.Fatal(err)
	}
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","ports":"15580-15585"}`).want(201, "")
	n.send("POST", "/containers?wait=running&timeout=30s", spec("kept", volume, `"power":"running","env":{"A":"b"},"ports":[{"ip":"127.0.0.1","port":15580}]`)).want(201, "")
	before := n.send("GET", "/containers/kept", "").json

	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				n.send("PATCH", "/containers/kept", fmt.Sprintf(`{"labels":{"n":"%d"}}`, i)).want(200, "")
			}
		}
	})
	file := filepath.Join(t.TempDir(), "backup")
	out, errOut, code := n.tool("backup", "--volumes", file)
	close(stop)
	writing.Wait()
	if info, err := os.Stat(file); code != 0 || err != nil || info.Mode().Perm() != 0o600 || !strings.HasPrefix(out, file+": ") {
		t.Fatalf("exit code %d, %s%s; %v, %v", code, out, errOut, info, err)
	}
	if text, _, _ := n.tool("audit"); !strings.Contains(text, "POST /backup") {
		t.Errorf("the audit has %s", text)
	}
	admin, _, _ := n.tool("token", "create", "--ttl", "1h", "--scopes", "admin")
	(&node{t: t, url: n.url, token: strings.TrimSpace(admin), log: n.log}).send("POST", "/backup", "").want(403, "master_only")
	n.terminate()

	restored := &node{t: t, dir: filepath.Join(t.TempDir(), "data"), engine: n.engine}
	if out, errOut, code := n.tool("restore", "--take-over", file, "--data-dir", restored.dir); code != 0 || !strings.Contains(out, "with the volumes") {
		t.Fatalf("restore: exit code %d, %s%s", code, out, errOut)
	}
	restored.start()
	if restored.token != n.token {
		t.Error("the master token is another one")
	}
	after := restored.until("kept", "running", running)
	restored.send("GET", "/containers/kept", "").want(200, `"env":{"A":"b"}`)
	if after.Ports[0].Port != 15580 || before["created_at"] != restored.send("GET", "/containers/kept", "").json["created_at"] {
		t.Errorf("restored as %+v", after)
	}
	restored.send("GET", "/network/ports/127.0.0.1/15585", "").want(200, `"in_use":false`)
	if text, err := os.ReadFile(filepath.Join(restored.dir, "volumes", volume, "world")); err != nil || string(text) != "a world" {
		t.Errorf("the volume has %q, %v", text, err)
	}
	eventually.Poll(t, func() error { // it is made again on the directories of the restored node
		if made := sim.Names(); len(made) != 1 {
			return fmt.Errorf("there are %v", made)
		}
		return nil
	})
	for _, bad := range [][]string{{"restore", file, "--data-dir", restored.dir}, {"restore", os.DevNull, "--data-dir", filepath.Join(t.TempDir(), "x")}, {"restore", "/nonexistent"}} {
		if out, errOut, code := n.tool(bad...); code == 0 {
			t.Errorf("%v: %s%s", bad, out, errOut)
		}
	}
}
