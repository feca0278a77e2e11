package systemd

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// manager is a service manager that listens; next returns what it is told next.
func manager(t *testing.T) (path string, next func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return path, func() string {
		t.Helper()
		b := make([]byte, 4096)
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func open(t *testing.T, env map[string]string) *Notifier {
	t.Helper()
	n, err := Open(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func TestNotify(t *testing.T) {
	path, next := manager(t)
	n := open(t, map[string]string{"NOTIFY_SOCKET": path})
	for _, c := range []struct {
		tell func()
		want string
	}{
		{n.Ready, `^READY=1\nSTATUS=accepts requests$`},
		{n.Reloading, `^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+\nSTATUS=.*$`},
		{n.Stopping, `^STOPPING=1\n`},
	} {
		c.tell()
		if got := next(); !regexp.MustCompile(c.want).MatchString(got) {
			t.Errorf("got %q, want %s", got, c.want)
		}
	}
	n.Watch(t.Context(), func() bool { t.Error("a watchdog that nobody asked for"); return true })
}

// TestWatchdog: it is told as long as the daemon is alive, and of its own process alone.
func TestWatchdog(t *testing.T) {
	path, next := manager(t)
	n := open(t, map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000", "WATCHDOG_PID": strconv.Itoa(os.Getpid())})
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.Watch(ctx, func() bool { return asked.Add(1)%2 == 0 })
	}()
	for range 3 {
		if got := next(); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	cancel()
	<-ended
	if asked.Load() < 6 {
		t.Errorf("three were told, and %d were asked for", asked.Load())
	}
	open(t, map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000", "WATCHDOG_PID": "1"}).
		Watch(t.Context(), func() bool { t.Error("the watchdog of another process"); return true })
}

// TestNobody: without a manager, or with one that is gone, nothing is told, and nothing fails.
func TestNobody(t *testing.T) {
	n := open(t, nil)
	n.Ready()
	n.Stopping()
	path, _ := manager(t)
	gone := open(t, map[string]string{"NOTIFY_SOCKET": path})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	gone.Ready()
	if _, err := Open(func(string) string { return filepath.Join(t.TempDir(), "none") }); err == nil {
		t.Error("a socket that is not there was opened")
	}
}
