package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier tells the service manager. Its methods may be used by any number of goroutines, and do nothing
// where there is none. What cannot be told is no error of the daemon: a manager that was replaced has
// no use for it.
type Notifier struct {
	socket *net.UnixConn
	// every is how often the watchdog must be told; 0 is never.
	every time.Duration
}

// Open returns the notifier that the environment asks for. Close it.
func Open(getenv func(string) string) (*Notifier, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return &Notifier{}, nil
	}
	if rest, abstract := strings.CutPrefix(path, "@"); abstract {
		path = "\x00" + rest
	}
	socket, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("open $NOTIFY_SOCKET: %w", err)
	}
	n := &Notifier{socket: socket}
	pid := getenv("WATCHDOG_PID")
	if pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if timeout, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && timeout > 0 {
			n.every = time.Duration(timeout) * time.Microsecond / 2 // as sd_watchdog_enabled(3) advises
		}
	}
	return n, nil
}

// Close ends the connection.
func (n *Notifier) Close() error {
	if n.socket == nil {
		return nil
	}
	return n.socket.Close()
}

func (n *Notifier) tell(state string) {
	if n.socket != nil {
		_, _ = n.socket.Write([]byte(state)) // see Notifier
	}
}

// Ready tells that requests are accepted, and that a reload has ended.
func (n *Notifier) Ready() { n.tell("READY=1\nSTATUS=accepts requests") }

// Reloading tells that the configuration is read again. Ready follows.
func (n *Notifier) Reloading() {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // that clock is always there
	n.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d\nSTATUS=reads its configuration again", now.Nano()/1000))
}

// Stopping tells that the daemon ends.
func (n *Notifier) Stopping() { n.tell("STOPPING=1\nSTATUS=stops; containers keep running") }

// Watch tells the watchdog that the daemon is alive, as long as it is, until ctx ends.
func (n *Notifier) Watch(ctx context.Context, alive func() bool) {
	if n.every == 0 {
		return
	}
	ticker := time.NewTicker(n.every)
	defer ticker.Stop()
	for {
		if alive() {
			n.tell("WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
