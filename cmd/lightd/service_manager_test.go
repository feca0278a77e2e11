package main

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lightd/hack/harness"
)

// TestServiceManager: systemd learns when the daemon accepts requests, of a reload and of the end, and that
// it is alive meanwhile.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	socket := harness.Value[*net.UnixConn](t)(net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}))
	t.Cleanup(func() { _ = socket.Close() })
	alive := 0
	told := func(want string) {
		t.Helper()
		for b := make([]byte, 4096); ; alive++ {
			n := harness.Value[int](t)(socket.Read(b))
			if got := string(b[:n]); got != "WATCHDOG=1" {
				if !strings.HasPrefix(got, want+"\n") {
					t.Fatalf("told %q, want %s", got, want)
				}
				return
			}
		}
	}
	n := &node{t: t, dir: t.TempDir(), env: []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=20000"}}
	n.start("--docker-host", "unix:///nonexistent/docker.sock")
	told("READY=1")
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	told("RELOADING=1")
	told("READY=1")
	for before := alive; alive < before+3; alive++ {
		if got := make([]byte, 4096); string(got[:harness.Value[int](t)(socket.Read(got))]) != "WATCHDOG=1" {
			t.Fatalf("told %s", got)
		}
	}
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	told("STOPPING=1")
	n.awaitExit()
	if code := n.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
