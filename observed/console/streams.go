package console

import (
	"context"
	"io"
	"time"
)

// Conn is an attached stream. Closing it ends a Read and a Write that wait.
type Conn interface {
	io.ReadWriteCloser
	SetWriteDeadline(t time.Time) error
}

// Streams opens the streams of a container; the engine does. The context of a call bounds
// the stream too.
type Streams interface {
	// AttachOutput opens the live output, as Docker frames it.
	AttachOutput(ctx context.Context, containerID string) (io.ReadCloser, error)
	// AttachInput opens the standard input.
	AttachInput(ctx context.Context, containerID string) (Conn, error)
	// Logs reads what was written since a time, or with lines > 0 the last lines.
	Logs(ctx context.Context, containerID string, since time.Time, lines int) (io.ReadCloser, error)
	// Stats calls fn with each of the figures until the stream ends.
	Stats(ctx context.Context, containerID string, fn func(Stats)) error
}
