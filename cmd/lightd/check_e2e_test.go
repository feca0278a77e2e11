package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lightd/cmd/lightd/check"
)

// TestCheckOfARealNode: with a daemon that runs, with a token that everybody can read, and after the
// daemon has ended.
func TestCheckOfARealNode(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	inspect := func(code int) map[string]check.Item {
		t.Helper()
		cmd := program(t, nil, "check", "-o", "json", "--data-dir", n.dir, "--listen", strings.TrimPrefix(n.url, "http://"))
		var failed *exec.ExitError
		out, err := cmd.Output()
		if errors.As(err, &failed) && failed.ExitCode() != code || err == nil && code != 0 {
			t.Fatalf("%v: %s", err, out)
		}
		var items []check.Item
		if err := json.Unmarshal(out, &items); err != nil || bytes.Contains(out, []byte(n.token)) {
			t.Fatalf("%v: %s", err, out)
		}
		found := map[string]check.Item{}
		for _, i := range items {
			found[i.Name] = i
		}
		return found
	}
	items := inspect(0)
	for _, name := range []string{"data-directory", "token-file", "listeners", "engine", "daemon", "pool-ports", "engine-timeouts", "file-system"} {
		if items[name].Verdict != check.OK {
			t.Errorf("%s: %+v", name, items[name])
		}
	}
	for _, name := range []string{"disk", "mount-flags", "seccomp", "lsm", "user-namespaces"} {
		if !slices.Contains([]check.Verdict{check.OK, check.Warning}, items[name].Verdict) {
			t.Errorf("%s: %+v", name, items[name])
		}
	}
	if err := os.Chmod(filepath.Join(n.dir, "token"), 0o644); err != nil {
		t.Fatal(err)
	}
	if i := inspect(1)["token-file"]; i.Verdict != check.Fault || !strings.Contains(i.Remedy, "chmod 600") {
		t.Errorf("got %+v", i)
	}
	n.terminate()
	if i := inspect(1)["daemon"]; i.Verdict != check.Fault {
		t.Errorf("got %+v", i)
	}
}
