package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"lightd/hack/harness"
)

// machineScripts stand for the programs of a machine: sudo runs what it is given, systemctl starts the daemon
// with its log in a file, which journalctl prints.
var machineScripts = map[string]string{
	"sudo":       `exec "$@"`,
	"journalctl": `cat DIR/journal`,
	"systemctl": `lightd serve --config DIR/lightd.yaml >> DIR/journal 2>&1 &
echo $! > DIR/pid
for i in $(seq 600); do grep -q 'accepts requests' DIR/journal && exit 0; sleep 0.1; done; exit 1`,
	"lightd": `exec PROGRAM "$@"`,
}

// TestReadmeInternet pastes the five lines of the README that make a node safe to reach over the internet into a
// shell, on a machine with a new configuration.
func TestReadmeInternet(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(readme(t), "safe to reach over the internet")
	lines := fences(section, "sh")[0]
	if n := strings.Count(lines, "\n"); n != 5 {
		t.Fatalf("%d lines", n)
	}
	dir, port := t.TempDir(), strconv.Itoa(unused(t, 1))
	for name, script := range machineScripts {
		text := "#!/bin/bash\n" + strings.NewReplacer("DIR", dir, "PROGRAM", harness.Value[string](t)(os.Executable())).Replace(script) + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "lightd.yaml"), fmt.Appendf(nil, "data_dir: %s/data\n", dir), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(harness.Value[[]byte](t)(os.ReadFile(filepath.Join(dir, "pid")))))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGTERM)
			poll(t, func() error { return ended(pid) })
		}
	})
	shell := func(script string) string {
		t.Helper()
		cmd := exec.Command("bash", "-e", "-o", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "DOCKER_HOST=unix:///nonexistent/docker.sock", asProgram + "=1"}
		printed, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v:\n%s\n%s", err, printed, harness.Value[[]byte](t)(os.ReadFile(filepath.Join(dir, "journal"))))
		}
		return string(printed)
	}
	shell(strings.NewReplacer("/etc/lightd/", dir+"/", "/run/", dir+"/", ":8443", ":"+port, "https://node-1.example.com", "https://127.0.0.1", "sleep 3", "true").Replace(lines))
	if printed := shell("lightd get && stat -c %a node-1.token"); !strings.Contains(printed, "600") {
		t.Errorf("the context prints %s", printed)
	}
	for host, want := range map[string]int{"node-1.example.com": 200, "evil.example": 421} {
		r := harness.Value[*http.Request](t)(http.NewRequest("GET", "https://127.0.0.1:"+port+"/healthz", nil))
		r.Host = host
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the context has the pin
		answer := harness.Value[*http.Response](t)((&http.Client{Transport: transport}).Do(r))
		_ = answer.Body.Close()
		transport.CloseIdleConnections()
		if answer.StatusCode != want {
			t.Errorf("%s: %s", host, answer.Status)
		}
	}
}

// ended returns an error while a process that is no child of the test runs.
func ended(pid int) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil && !strings.Contains(string(stat), ") Z ") {
		return fmt.Errorf("process %d runs: %s", pid, stat)
	}
	return nil
}
