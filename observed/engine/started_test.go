package engine

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const listenAt = "LIGHTD_TEST_LISTEN_AT"

// TestListens is not a test: it is the process that TestStartedAfter starts.
func TestListens(t *testing.T) {
	path := os.Getenv(listenAt)
	if path == "" {
		t.SkipNow()
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	os.Stdout.WriteString("listens\n")
	for range 2 {
		if conn, err := listener.Accept(); err == nil {
			_ = conn.Close()
		}
	}
}

// TestStartedAfter: the start of an engine is that of the process at its socket, or the start of the machine.
func TestStartedAfter(t *testing.T) {
	const tick = time.Second / ticksPerSecond
	path := filepath.Join(t.TempDir(), "engine.sock")
	cmd := exec.Command(os.Args[0], "-test.run=^TestListens$")
	cmd.Env = append(os.Environ(), listenAt+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	unixHost, dial, err := parseHost("unix://" + path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := (&Engine{host: unixHost, dial: dial}).startedAfter(t.Context())
	if err != nil || got.Before(before.Add(-tick)) || got.After(after.Add(tick)) {
		t.Errorf("got %s, %v, want from %s to %s", got, err, before, after)
	}

	_, dial, err = parseHost("unix://" + path + ".gone")
	if err != nil {
		t.Fatal(err)
	}
	boot, err := (&Engine{dial: dial}).startedAfter(t.Context())
	if err == nil || boot.IsZero() || !boot.Before(before) {
		t.Errorf("without an engine: %s, %v", boot, err)
	}
}
