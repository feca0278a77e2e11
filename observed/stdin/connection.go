package stdin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/streams"
)

// writeTime bounds how long a write waits for the program to read, and for its turn.
const writeTime = 5 * time.Second

// openAheadTime bounds an opening that no write waits for yet. It is shorter than writeTime, for which a write
// waits for it.
const openAheadTime = 2 * time.Second

// connection is the input connection of one run.
type connection struct {
	streams.Run
	conn streams.Conn
}

// connect returns the connection to the present run, and whether it was opened now.
func (i *input) connect(ctx context.Context) (c *connection, fresh bool, err error) {
	run := i.r.cfg.Targets.Get(i.id).Run
	if !run.Running() {
		return nil, false, ErrNotRunning
	}
	want := streams.RunOf(run)
	i.mu.Lock()
	c = i.connection
	i.mu.Unlock()
	if c != nil && c.Run.Equal(want) {
		return c, false, nil
	}
	conn, err := i.attach(ctx, want.ContainerID)
	if err != nil {
		return nil, false, err
	}
	opened := &connection{Run: want, conn: conn} // not c, which a return sets
	i.mu.Lock()
	defer i.mu.Unlock()
	i.disconnectLocked()
	i.connection = opened
	if !i.r.group.Go(func() { i.awaitEnd(opened) }) {
		i.disconnectLocked()
		return nil, false, streams.ErrClosed
	}
	i.reconcileConnectionLocked(i.r.cfg.Targets.Get(i.id)) // the run may have ended meanwhile
	if i.connection != opened {
		return nil, false, ErrNotRunning
	}
	return opened, true, nil
}

// openAhead opens the connection to the present run, beside the caller, where a client may want it and it is not
// open. The write that needs it reports what fails.
func (i *input) openAhead() {
	run := i.r.cfg.Targets.Get(i.id).Run
	if !run.Running() || i.connected(streams.RunOf(run)) || !i.r.use(i) {
		return
	}
	started := i.r.group.Go(func() {
		defer i.r.release(i)
		select {
		case i.turn <- struct{}{}:
		default:
			return // a write is under way, which opens it
		}
		defer func() { <-i.turn }()
		ctx, cancel := context.WithTimeout(i.r.group.Context(), openAheadTime)
		defer cancel()
		_, _, _ = i.connect(ctx)
	})
	if !started {
		i.r.release(i)
	}
}

func (i *input) connected(to streams.Run) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.connection != nil && i.connection.Run.Equal(to)
}

// attach opens the connection; both the caller's context and the registry's bound the
// opening, and only the registry's what was opened.
func (i *input) attach(ctx context.Context, containerID string) (streams.Conn, error) {
	opening, cancel := context.WithCancel(i.r.group.Context())
	stop := context.AfterFunc(ctx, cancel)
	late := time.AfterFunc(streams.OpenTime, cancel)
	conn, err := i.r.cfg.Source.AttachInput(opening, containerID)
	late.Stop()
	if !stop() || opening.Err() != nil {
		cancel()
		if conn != nil {
			conn.Close()
		}
		return nil, errors.Join(err, ctx.Err(), i.r.group.Context().Err())
	}
	if err != nil {
		cancel()
		switch class := engine.Classify(err); {
		case class == engine.NotFound, errors.Is(err, engine.ErrNotRunning):
			err = fmt.Errorf("%w: %w", ErrNotRunning, err)
		case class == engine.Conflict:
			err = fmt.Errorf("%w: %w", ErrPaused, err)
		}
		return nil, err
	}
	return &bounded{Conn: conn, cancel: cancel}, nil
}

// bounded ends the context of a connection together with it.
type bounded struct {
	streams.Conn
	cancel context.CancelFunc
}

// Close ends the connection and its context.
func (b *bounded) Close() error {
	b.cancel()
	return b.Conn.Close()
}

// send writes data and drops the connection when that fails.
func (i *input) send(c *connection, data []byte) (int, error) {
	if c.TTY {
		i.r.cfg.Typed(i.id, c.Run, data)
	}
	n, err := 0, c.conn.SetWriteDeadline(time.Now().Add(writeTime))
	if err == nil {
		n, err = c.conn.Write(data)
	}
	if err == nil {
		return n, nil
	}
	i.mu.Lock()
	if i.connection == c {
		i.disconnectLocked()
	}
	i.mu.Unlock()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = ErrTimeout
	case i.r.group.Context().Err() != nil:
		err = streams.ErrClosed
	case !i.r.cfg.Targets.Get(i.id).Run.Running():
		err = ErrNotRunning
	}
	return n, err
}

// awaitEnd waits for the other side to close: nothing else is sent on an input connection.
func (i *input) awaitEnd(c *connection) {
	stop := context.AfterFunc(i.r.group.Context(), func() { c.conn.Close() })
	defer stop()
	_, _ = io.Copy(io.Discard, c.conn)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.connection == c {
		i.connection = nil
	}
	c.conn.Close()
}

func (i *input) reconcileConnectionLocked(s observed.Snapshot) {
	if i.connection != nil && s.Known && (!s.Run.Running() || !i.connection.Run.Equal(streams.RunOf(s.Run))) {
		i.disconnectLocked()
	}
}

func (i *input) disconnect() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.disconnectLocked()
}

func (i *input) disconnectLocked() {
	if i.connection != nil {
		i.connection.conn.Close()
		i.connection = nil
	}
}
