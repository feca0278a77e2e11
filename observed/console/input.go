package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/screen"
)

// writeTime bounds how long a write waits for the program to read, and for its turn.
const writeTime = 5 * time.Second

// stdin is the input connection of one run.
type stdin struct {
	life
	conn Conn
}

// input returns the connection to the present run, and whether it was opened now.
func (h *hub) input(ctx context.Context) (s *stdin, fresh bool, err error) {
	run := h.c.cfg.Targets.Get(h.id).Run
	if !run.Running() {
		return nil, false, ErrNotRunning
	}
	want := lifeOf(run)
	h.mu.Lock()
	s = h.stdin
	h.mu.Unlock()
	if s != nil && s.is(want) {
		return s, false, nil
	}
	conn, err := h.attachInput(ctx, want.ContainerID)
	if err != nil {
		return nil, false, err
	}
	s = &stdin{life: want, conn: conn}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropStdin()
	h.stdin = s
	if !h.c.goes(func() { h.listen(s) }) {
		h.dropStdin()
		return nil, false, ErrClosed
	}
	h.settleStdin(h.c.cfg.Targets.Get(h.id)) // the run may have ended meanwhile
	if h.stdin != s {
		return nil, false, ErrNotRunning
	}
	return s, true, nil
}

// attachInput opens the connection; both the caller's context and the console's bound the
// opening, and only the console's what was opened.
func (h *hub) attachInput(ctx context.Context, containerID string) (Conn, error) {
	opening, cancel := context.WithCancel(h.c.ctx)
	stop := context.AfterFunc(ctx, cancel)
	late := time.AfterFunc(openTime, cancel)
	conn, err := h.c.cfg.Streams.AttachInput(opening, containerID)
	late.Stop()
	if !stop() || opening.Err() != nil {
		cancel()
		if conn != nil {
			conn.Close()
		}
		return nil, errors.Join(err, ctx.Err(), h.c.ctx.Err())
	}
	if err != nil {
		cancel()
		if engine.Classify(err) == engine.NotFound {
			err = fmt.Errorf("%w: %w", ErrNotRunning, err)
		}
		return nil, err
	}
	return &bounded{Conn: conn, cancel: cancel}, nil
}

// bounded ends the context of a connection together with it.
type bounded struct {
	Conn
	cancel context.CancelFunc
}

func (b *bounded) Close() error {
	b.cancel()
	return b.Conn.Close()
}

// typed is what was written to the terminal of one run.
type typed struct {
	life
	screen.Typed
}

// noteTyped takes note of what a terminal is about to echo.
func (h *hub) noteTyped(l life, data []byte) {
	if !l.TTY {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.typed.is(l) {
		h.typed = typed{life: l}
	}
	h.typed.Write(data, time.Now())
}

// send writes data and drops the connection when that fails.
func (h *hub) send(s *stdin, data []byte) (int, error) {
	h.noteTyped(s.life, data)
	n, err := 0, s.conn.SetWriteDeadline(time.Now().Add(writeTime))
	if err == nil {
		n, err = s.conn.Write(data)
	}
	if err == nil {
		return n, nil
	}
	h.mu.Lock()
	dropped := h.stdin != s
	if !dropped {
		h.dropStdin()
	}
	h.mu.Unlock()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = ErrTimeout
	case h.c.ctx.Err() != nil:
		err = ErrClosed
	case !h.c.cfg.Targets.Get(h.id).Run.Running():
		err = ErrNotRunning
	}
	return n, err
}

// listen waits for the other side to close: nothing else is sent on an input connection.
func (h *hub) listen(s *stdin) {
	stop := context.AfterFunc(h.c.ctx, func() { s.conn.Close() })
	defer stop()
	_, _ = io.Copy(io.Discard, s.conn)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stdin == s {
		h.dropStdin()
	}
	s.conn.Close()
}

func (h *hub) settleStdin(s observed.Snapshot) {
	if h.stdin != nil && s.Known && (!s.Run.Running() || !h.stdin.is(lifeOf(s.Run))) {
		h.dropStdin()
	}
}

func (h *hub) dropStdin() {
	if h.stdin != nil {
		h.stdin.conn.Close()
		h.stdin = nil
	}
}
