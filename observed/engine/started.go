package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is the unit of times in /proc, on every architecture; see proc(5) and USER_HZ.
const ticksPerSecond = 100

// startedAfter returns the latest time that the engine is known to have started after: that of the
// process that listens at its socket, else the start of this machine. An engine at a socket of
// systemd may have started later, and so may one on another machine.
func (e *Engine) startedAfter(ctx context.Context) (time.Time, error) {
	now := time.Now() // before the other clock is read, so that the difference is no later than the start
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}, fmt.Errorf("read how long the machine is up: %w", err)
	}
	boot := now.Add(-time.Duration(up.Nano()))
	conn, err := e.dial(ctx)
	if err != nil {
		return boot, err
	}
	defer conn.Close()
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return boot, nil
	}
	pid, err := listenerOf(socket)
	if err != nil || pid == 0 { // 0: it is in another PID namespace
		return boot, err
	}
	ticks, err := startOf(int(pid))
	return boot.Add(time.Duration(ticks) * time.Second / ticksPerSecond), err
}

// listenerOf returns the process that called listen(2) for the other end of a connection.
func listenerOf(conn *net.UnixConn) (pid int32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("find the process at a socket: %w", err)
	}
	return peer.Pid, nil
}

// startOf returns when a process started, in ticks since the start of the machine.
func startOf(pid int) (ticks int64, err error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	// The name, the second field, is in parentheses and may hold anything; starttime is field 22.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("%s has %d fields behind the name", path, len(fields))
	}
	return strconv.ParseInt(string(fields[19]), 10, 64)
}
