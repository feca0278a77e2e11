package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"lightd/hack/harness"
)

// TestStory is what an operator does with a shell: the program as a process of its own, a
// daemon beside it, and a real engine below.
func TestStory(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	lightd := func(code int, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, got := n.tool(args...)
		if got != code {
			t.Fatalf("lightd %s: exit code %d, want %d:\n%s\n%s", strings.Join(args, " "), got, code, stdout, stderr)
		}
		return stdout, stderr
	}
	has := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Fatalf("%q is not in:\n%s", part, text)
			}
		}
	}
	port := unused(t, 2)
	lightd(0, "port", "add", fmt.Sprintf("127.0.0.1:%d-%d", port, port+1))
	volume, _ := lightd(0, "volume", "create")
	write := func(port int, more string) string {
		t.Helper()
		text := fmt.Sprintf("internal_id: e2e-story\nimage: %s\nvolume_id: %s\nstart_pattern: up\npower: running\n"+
			"startup_command: |\n  echo up\n  while read -r line; do echo \"got $line\"; done\nports:\n- ip: 127.0.0.1\n  port: %d\n  container_port: 80\n"+
			"limits:\n  memory: 67108864\n%s", harness.Busybox(), volume, port, more)
		path := filepath.Join(n.dir, "story.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}

	file := write(port, "")
	out, _ := lightd(0, "plan", "-f", file)
	has(out, "e2e-story: create\n", "CreateContainer", "StartContainer")
	if !d.absent("lightd-e2e-story") {
		t.Fatal("a plan made a container")
	}
	out, progress := lightd(0, "apply", "-f", file, "--wait=running")
	has(out, "e2e-story: created, generation 1, running")
	has(progress, "e2e-story: Ready")
	out, _ = lightd(0, "get")
	has(out, "e2e-story   ready     running   True")
	out, _ = lightd(0, "logs", "e2e-story")
	has(out, "up")

	// Another port: what that takes is told before, and then done.
	file = write(port+1, "")
	out, _ = lightd(1, "diff", "-f", file)
	has(out, fmt.Sprintf("-    port: %d\n+    port: %d", port, port+1))
	out, _ = lightd(0, "plan", "-f", file)
	has(out, "e2e-story: recreate, because ports changed", "keeps volume "+volume, "loses")
	out, _ = lightd(0, "apply", "-f", file, "--wait=running")
	has(out, "e2e-story: updated, generation 2, running")
	lightd(0, "diff", "-f", file)

	// What somebody else does to a container that is paused is told, and mended afterwards.
	lightd(0, "apply", "-f", write(port+1, "paused: true\n"))
	ctx, cancel := d.bounded()
	defer cancel()
	if _, err := d.ContainerUpdate(ctx, "lightd-e2e-story", container.UpdateConfig{Resources: container.Resources{Memory: 32 << 20, MemorySwap: 32 << 20}}); err != nil {
		t.Fatal(err)
	}
	poll(t, func() error {
		if out, _ := lightd(0, "drift", "e2e-story"); !strings.Contains(out, "e2e-story   limits.memory   67108864    33554432") {
			return fmt.Errorf("drift is %q", out)
		}
		return nil
	})
	out, _ = lightd(0, "describe", "e2e-story")
	has(out, "Paused:", "limits.memory", "UpdateLimits")
	lightd(0, "apply", "-f", write(port+1, ""), "--wait")
	_, progress = lightd(0, "drift")
	has(progress, "1 in sync, 0 drifted.")

	lightd(0, "kill", "e2e-story", "--wait")
	if d.inspect("lightd-e2e-story").State.Running {
		t.Error("it runs")
	}
	out, _ = lightd(0, "events", "e2e-story")
	has(out, "LimitsUpdated", "137 (SIGKILL)")
	out, _ = lightd(0, "delete", "e2e-story")
	has(out, "e2e-story: deleted")
	if !d.absent("lightd-e2e-story") {
		t.Error("it is still there")
	}
	lightd(3, "get", "e2e-story")
	lightd(0, "volume", "delete", volume)
	n.terminate()
	_, told := lightd(5, "get")
	has(told, n.url, "cannot be reached")
}
