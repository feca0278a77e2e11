package simengine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hijack takes over the connection of a call, answers with the upgrade, and registers the stream. The
// caller calls release.
func (s *Sim) hijack(c *call) (*stream, *bufio.Reader, func(), error) {
	conn, rw, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		return nil, nil, nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
	if c.r.Header.Get("Upgrade") != "" {
		head = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n" +
			"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
	}
	st, release := s.openStream(c, conn)
	if _, err := io.WriteString(conn, head); err != nil {
		release()
		return nil, nil, nil, err
	}
	return st, rw.Reader, release, nil
}

func (s *Sim) attachContainer(c *call) (answer, error) {
	s.mu.Lock()
	target, err := s.findLocked(c.id)
	if err != nil {
		s.mu.Unlock()
		return answer{}, err
	}
	if target.paused {
		s.mu.Unlock()
		return answer{}, refuse(http.StatusConflict, "Container %s is paused, unpause the container before attach.", c.id)
	}
	s.emitLocked(target, "attach", nil)
	out, tty := s.outLocked(target), target.config.Tty
	s.mu.Unlock()
	if !c.flag("stream") {
		return answer{status: http.StatusOK}, nil
	}
	kept, follow, leave := out.follow(false, false)
	defer leave()
	st, input, release, err := s.hijack(c)
	if err != nil {
		return streamed, nil
	}
	defer release()
	write := func(ch chunk) error {
		if c.wants(ch.stream) {
			return frame(st.conn, tty, ch.stream, ch.data)
		}
		return nil
	}
	if c.flag("logs") {
		for _, ch := range kept {
			if write(ch) != nil {
				return streamed, nil
			}
		}
	}
	s.work.Go(func() {
		if c.flag("stdin") && target.config.OpenStdin {
			s.feed(st.ctx, target, input)
		}
		st.untilClosed(input)
	})
	follow.each(st.ctx, write)
	if !c.flag("stdout") && !c.flag("stderr") && st.ctx.Err() == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.emitLocked(target, "detach", nil) // the end of the run has broken off what carried input only
	}
	return streamed, nil
}

// wants reports whether a call requested a stream.
func (c *call) wants(id streamID) bool {
	return id == stdout && c.flag("stdout") || id == stderr && c.flag("stderr")
}

// untilClosed ends the stream when the client closes it. One that only ends its own side
// of a socket continues to read.
func (st *stream) untilClosed(r io.Reader) {
	_, _ = io.Copy(io.Discard, r)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !hungUp(st.conn) {
		select {
		case <-ticker.C:
		case <-st.ctx.Done():
			return
		}
	}
	st.cancel()
}

// hungUp reports whether the other end of a connection that is at its end is closed for
// writing as well as for reading. In memory there is no half of an end.
func hungUp(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	closed := true
	err = raw.Control(func(fd uintptr) {
		polled := []unix.PollFd{{Fd: int32(fd)}}
		if _, err := unix.Poll(polled, 0); err == nil {
			closed = polled[0].Revents != 0
		}
	})
	return err != nil || closed
}

// feed gives what a client sends to the standard input of a container, run after run. The
// end of it leaves the stream open: the client may go on reading.
func (s *Sim) feed(ctx context.Context, c *box, from io.Reader) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !s.feedOnce(ctx, c, bytes.Clone(b[:n])) {
			return
		}
		if err != nil {
			break
		}
	}
	if c.config.StdinOnce {
		s.mu.Lock()
		defer s.mu.Unlock()
		c.inLocked().close()
	}
}

// feedOnce passes on what was read, through the line discipline if a terminal is between.
func (s *Sim) feedOnce(ctx context.Context, c *box, data []byte) bool {
	s.mu.Lock()
	in, out, read := c.inLocked(), s.outLocked(c), c.process != nil || !c.running
	var echo []byte
	if c.config.Tty {
		data, echo = c.terminal.input(data)
	}
	s.mu.Unlock()
	if len(echo) > 0 {
		_ = out.write(ctx, stdout, echo, s.now()) // the run may be over
	}
	if !read || len(data) == 0 {
		return true // it has no reader, or not yet
	}
	select {
	case in.chunks <- data:
		return true
	case <-ctx.Done():
		return false
	}
}

// Print lets the first process of a running container print a text, if it has no Program.
func (s *Sim) Print(name, text string) error {
	s.mu.Lock()
	c, err := s.findLocked(name)
	if err != nil {
		s.mu.Unlock()
		return fmt.Errorf("print: %w", err)
	}
	out, data := s.outLocked(c), []byte(text)
	if c.config.Tty {
		data = carriage(data)
	}
	s.mu.Unlock()
	if err := out.write(s.ctx, stdout, data, s.now()); err != nil {
		return fmt.Errorf("print in %s: %w", name, err)
	}
	return nil
}

// stream is a response that continues until one side ends it.
type stream struct {
	method, route, target string
	ctx                   context.Context
	cancel                context.CancelFunc
	conn                  net.Conn // nil unless it was hijacked
	cut                   bool     // guarded by the lock of the Sim
}

// openStream registers a stream of a call. Release closes it.
func (s *Sim) openStream(c *call, conn net.Conn) (st *stream, release func()) {
	st = &stream{method: c.r.Method, route: c.route, target: strings.TrimPrefix(c.id, "/"), conn: conn}
	var cancel context.CancelFunc
	if conn == nil {
		st.ctx, cancel = s.ends(c)
	} else {
		st.ctx, cancel = context.WithCancel(s.ctx)
	}
	st.cancel = cancel
	s.mu.Lock()
	s.streams[st] = struct{}{}
	s.mu.Unlock()
	return st, func() {
		cancel()
		s.mu.Lock()
		delete(s.streams, st)
		s.mu.Unlock()
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// cutStreamsLocked cuts those that which chooses. The caller holds the lock.
func (s *Sim) cutStreamsLocked(which func(*stream) bool) (n int) {
	for st := range s.streams {
		if !which(st) || st.cut {
			continue
		}
		n++
		st.cut = true
		st.cancel()
		if st.conn != nil {
			_ = st.conn.Close()
		}
	}
	return n
}

// breakIfCut ends a stream in the middle rather than properly, if it was cut.
func (s *Sim) breakIfCut(st *stream) {
	s.mu.Lock()
	cut := st.cut
	s.mu.Unlock()
	if cut {
		panic(http.ErrAbortHandler)
	}
}
