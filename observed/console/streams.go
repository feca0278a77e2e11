package console

import (
	"context"
	"io"
	"math"
	"time"

	"lightd/observed"
	"lightd/observed/engine"
)

// Conn is an input connection. Closing it ends a Read and a Write that wait.
type Conn interface {
	io.ReadWriteCloser
	SetWriteDeadline(t time.Time) error
}

// Streams opens the streams of a container; Docker does. The context of a call bounds the
// stream too.
type Streams interface {
	// AttachOutput opens the output from now on, as Docker frames it. Closing it ends a
	// Read that waits.
	AttachOutput(ctx context.Context, containerID string) (io.ReadCloser, error)
	// AttachInput opens the standard input.
	AttachInput(ctx context.Context, containerID string) (Conn, error)
	// Logs reads what Docker's log has, as Docker frames it.
	Logs(ctx context.Context, containerID string, r Range) (io.ReadCloser, error)
	// Stats calls fn with figures, again and again, until the stream ends.
	Stats(ctx context.Context, containerID string, fn func(observed.Stats)) error
}

// Range is a part of a container's log.
type Range struct {
	// Since is where it begins; zero is the beginning.
	Since time.Time
	// Lines, when not zero, leaves all but the last ones out.
	Lines int
	// Timestamps puts the time before each entry.
	Timestamps bool
}

// Docker returns the streams that e opens.
func Docker(e *engine.Engine) Streams { return docker{e} }

// Resizer returns what resizes the terminals of e.
func Resizer(e *engine.Engine) func(ctx context.Context, containerID string, s Size) error {
	return func(ctx context.Context, containerID string, s Size) error {
		return e.Resize(ctx, containerID, s.Cols, s.Rows)
	}
}

type docker struct{ engine *engine.Engine }

// AttachOutput implements Streams.
func (d docker) AttachOutput(ctx context.Context, containerID string) (io.ReadCloser, error) {
	conn, err := d.engine.Attach(ctx, containerID, engine.AttachOptions{Output: true})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// AttachInput implements Streams.
func (d docker) AttachInput(ctx context.Context, containerID string) (Conn, error) {
	conn, err := d.engine.Attach(ctx, containerID, engine.AttachOptions{Input: true})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// Logs implements Streams.
func (d docker) Logs(ctx context.Context, containerID string, r Range) (io.ReadCloser, error) {
	return d.engine.Logs(ctx, containerID, engine.LogsOptions{Since: r.Since, Tail: r.Lines, Timestamps: r.Timestamps})
}

// Stats implements Streams.
func (d docker) Stats(ctx context.Context, containerID string, fn func(observed.Stats)) error {
	return d.engine.Stats(ctx, containerID, func(s engine.Stats) {
		fn(observed.Stats{
			CPUUsage: math.Round(100*s.CPUPercent) / 100, MemoryUsage: s.Memory, MemoryLimit: s.MemoryLimit,
			NetworkRx: s.NetworkRx, NetworkTx: s.NetworkTx,
			BlockRead: s.BlockRead, BlockWrite: s.BlockWrite,
		})
	})
}
