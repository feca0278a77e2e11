package streams

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

// Range is a part of a container's log.
type Range struct {
	// Since is where it begins; zero is the beginning.
	Since time.Time
	// Lines, when not zero, leaves all but the last ones out.
	Lines int
	// Timestamps puts the time before each entry.
	Timestamps bool
}

// Docker opens the streams of containers on an engine. The context of a call bounds the stream too.
type Docker struct{ engine *engine.Engine }

// NewDocker returns what opens streams on e.
func NewDocker(e *engine.Engine) Docker { return Docker{e} }

// AttachOutput opens the output from now on, as Docker frames it. Closing it ends a Read that waits.
func (d Docker) AttachOutput(ctx context.Context, containerID string) (io.ReadCloser, error) {
	conn, err := d.engine.Attach(ctx, containerID, engine.AttachOptions{Output: true})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// AttachInput opens the standard input.
func (d Docker) AttachInput(ctx context.Context, containerID string) (Conn, error) {
	conn, err := d.engine.Attach(ctx, containerID, engine.AttachOptions{Input: true})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// Logs reads what Docker's log has, as Docker frames it.
func (d Docker) Logs(ctx context.Context, containerID string, r Range) (io.ReadCloser, error) {
	return d.engine.Logs(ctx, containerID, engine.LogsOptions{Since: r.Since, Tail: r.Lines, Timestamps: r.Timestamps})
}

// Stats calls fn with figures, again and again, until the stream ends.
func (d Docker) Stats(ctx context.Context, containerID string, fn func(observed.Stats)) error {
	return d.engine.Stats(ctx, containerID, func(s engine.Stats) {
		fn(observed.Stats{
			CPUUsage: math.Round(100*s.CPUPercent) / 100, MemoryUsage: s.Memory, MemoryLimit: s.MemoryLimit,
			NetworkRx: s.NetworkRx, NetworkTx: s.NetworkTx,
			BlockRead: s.BlockRead, BlockWrite: s.BlockWrite,
		})
	})
}

// Resize sets the size of the terminal of a container.
func (d Docker) Resize(ctx context.Context, containerID string, cols, rows int) error {
	return d.engine.Resize(ctx, containerID, cols, rows)
}
