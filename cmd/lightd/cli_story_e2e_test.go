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

// story is what an operator does with a shell: the program as a process of its own, a
// daemon beside it, and a real engine below.
type story struct {
	*node
	docker *docker
	// volume and pool are what the container needs, which the manifest brings.
	volume, pool string
}

// lightd runs the program, which must end with the exit code.
func (s *story) lightd(code int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	stdout, stderr, got := s.tool(args...)
	if got != code {
		s.t.Fatalf("lightd %s: exit code %d, want %d:\n%s\n%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	return stdout, stderr
}

// prints runs the program, which must succeed and print each of the parts.
func (s *story) prints(args []string, parts ...string) {
	s.t.Helper()
	out, _ := s.lightd(0, args...)
	s.has(out, parts...)
}

func (s *story) has(text string, parts ...string) {
	s.t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			s.t.Fatalf("%q is not in:\n%s", part, text)
		}
	}
}

// manifest writes the container's manifest, and returns its path.
func (s *story) manifest(port int, more string) string {
	s.t.Helper()
	text := fmt.Sprintf("internal_id: e2e-story\nimage: %s\nvolume_id: %s\nstart_pattern: up\npower: running\n"+
		"startup_command: |\n  echo up\n  while read -r line; do echo \"got $line\"; done\nports:\n- ip: 127.0.0.1\n  port: %d\n  container_port: 80\n"+
		"limits:\n  memory: 67108864\n%s---\nvolumes:\n- volume_id: %s\nports:\n- {ip: 127.0.0.1, ports: %s}\n", harness.Busybox(), s.volume, port, more, s.volume, s.pool)
	path := filepath.Join(s.dir, "story.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// TestStory applies a container, changes its port, changes it behind the daemon's back, and
// deletes it.
func TestStory(t *testing.T) {
	t.Parallel()
	s := &story{node: newNode(t), docker: newDocker(t)}
	port := unused(t, 2)
	s.volume, s.pool = "3a1f6f0a-5d0c-4d1e-9b6e-0d6c2f7e8a41", fmt.Sprintf("%d-%d", port, port+1)

	file := s.manifest(port, "")
	s.prints([]string{"plan", "-f", file}, "e2e-story: create\n", "CreateContainer", "StartContainer")
	if !s.docker.absent("lightd-e2e-story") {
		t.Fatal("a plan made a container")
	}
	out, progress := s.lightd(0, "apply", "-f", file, "--wait=running")
	s.has(out, "volume "+s.volume+": created\nports of the pool: 2 created, 0 unchanged\ne2e-story: created, generation 1, running")
	s.has(progress, "e2e-story: Ready")
	s.prints([]string{"get"}, "e2e-story   ready     running   True")
	s.prints([]string{"logs", "e2e-story"}, "up")
	s.prints([]string{"send", "e2e-story", "say hi"}, "e2e-story: command sent")
	poll(t, func() error {
		if out, _ := s.lightd(0, "logs", "e2e-story"); !strings.Contains(out, "got say hi") {
			return fmt.Errorf("it printed %q", out)
		}
		return nil
	})

	// Another port: what that takes is shown before it is done.
	file = s.manifest(port+1, "")
	out, _ = s.lightd(1, "diff", "-f", file)
	s.has(out, fmt.Sprintf("-    port: %d\n+    port: %d", port, port+1))
	s.prints([]string{"plan", "-f", file}, "e2e-story: recreate, because ports changed", "keeps volume "+s.volume, "loses")
	s.prints([]string{"apply", "-f", file, "--wait=running"}, "e2e-story: updated, generation 2, running")
	s.lightd(0, "diff", "-f", file)

	s.changeExternally(port + 1)

	engine := "--docker-host=" + s.docker.DaemonHost()
	s.prints([]string{"exec", engine, "-u", "1000", "-e", "A=b c", "e2e-story", "sh", "-c", "id -u; echo $A"}, "1000\nb c")
	s.lightd(7, "exec", engine, "e2e-story", "sh", "-c", "exit 7")
	s.prints([]string{"patch", "e2e-story", "-p", "limits: {memory: 96Mi}", "--wait", "-o", "jsonpath={.wait.met}"}, "true")
	s.prints([]string{"get", "e2e-story", "-o", "jsonpath={.limits.memory}"}, "100663296")

	s.lightd(0, "kill", "e2e-story", "--wait")
	if s.docker.inspect("lightd-e2e-story").State.Running {
		t.Error("it runs")
	}
	s.prints([]string{"events", "e2e-story"}, "LimitsUpdated", "137 (SIGKILL)")
	s.prints([]string{"delete", "e2e-story"}, "e2e-story: deleted")
	if !s.docker.absent("lightd-e2e-story") {
		t.Error("it is still there")
	}
	s.lightd(3, "get", "e2e-story")
	s.lightd(0, "run", "e2e-run", "--image", harness.Busybox(), "-v", s.volume, "-p", fmt.Sprint(port), "-p", "0", "--wait", "--", "sh", "-c", "exec sleep 1000")
	if made := s.docker.inspect("lightd-e2e-run"); !made.State.Running || len(made.HostConfig.PortBindings) != 2 {
		t.Errorf("run made %+v", made.HostConfig)
	}
	s.lightd(0, "rm", "--all", "--yes")
	s.lightd(0, "volume", "delete", s.volume)
	s.terminate()
	_, message := s.lightd(5, "get")
	s.has(message, s.url, "cannot be reached")
}

// changeExternally changes a limit in Docker: while the container is paused that is reported,
// and mended afterwards.
func (s *story) changeExternally(port int) {
	s.lightd(0, "apply", "-f", s.manifest(port, "paused: true\n"))
	ctx, cancel := s.docker.bounded()
	defer cancel()
	if _, err := s.docker.ContainerUpdate(ctx, "lightd-e2e-story", container.UpdateConfig{Resources: container.Resources{Memory: 32 << 20, MemorySwap: 32 << 20}}); err != nil {
		s.t.Fatal(err)
	}
	poll(s.t, func() error {
		if out, _ := s.lightd(0, "drift", "e2e-story"); !strings.Contains(strings.Join(strings.Fields(out), " "), "e2e-story limits.memory 64 MiB 32 MiB") {
			return fmt.Errorf("drift is %q", out)
		}
		return nil
	})
	s.prints([]string{"describe", "e2e-story"}, "Paused:", "limits.memory", "UpdateLimits")
	s.lightd(0, "apply", "-f", s.manifest(port, ""), "--wait")
	_, summary := s.lightd(0, "drift")
	s.has(summary, "1 in sync, 0 drifted.")
}
