package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
)

// stream runs fn, which opens a stream, calls answered and reads it to its end. The
// opening has the deadline of a query; if it passed, answered returns that as an error.
// All that fn opened is released when it returns.
func (e *Engine) stream(ctx context.Context, fn func(ctx context.Context, s *session, answered func() error) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(e.timeouts.Query, func() { cancel(ErrTimeout) })
	defer timer.Stop()
	answered := func() error {
		if !timer.Stop() {
			return ErrTimeout
		}
		return nil
	}
	err := e.try(ctx, func(ctx context.Context, s *session) error { return fn(ctx, s, answered) })
	if errors.Is(causeOf(ctx), ErrTimeout) && !errors.Is(err, ErrTimeout) {
		err = fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

// LogsOptions are which part of a container's kept output is wanted.
type LogsOptions struct {
	// Since and Until bound it in time; zero is no bound.
	Since, Until time.Time
	// Tail is how many of the last lines; 0 is all.
	Tail int
	// Follow continues with what is written next.
	Follow bool
	// Timestamps puts the time before each line.
	Timestamps bool
}

// Logs returns the kept output of a container, framed as Merged reads it. It ends when
// the context does.
func (e *Engine) Logs(ctx context.Context, containerID string, o LogsOptions) (io.ReadCloser, error) {
	options := container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Follow: o.Follow, Timestamps: o.Timestamps, Tail: "all",
		Since: stamp(o.Since), Until: stamp(o.Until),
	}
	if o.Tail > 0 {
		options.Tail = fmt.Sprint(o.Tail)
	}
	body, err := e.open(ctx, func(ctx context.Context, s *session) (io.ReadCloser, error) {
		body, err := s.ContainerLogs(ctx, containerID, options)
		if err == nil && o.Timestamps {
			body = s.dockerLog(body)
		}
		return body, err
	})
	if err != nil {
		return nil, fmt.Errorf("read logs of container %s: %w", containerID, err)
	}
	return body, nil
}

// stamp writes a time as Docker reads it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// open returns the body of an answer. It has the deadline of a query for its head, and is
// then bounded by ctx and by its Close.
func (e *Engine) open(ctx context.Context, fn func(context.Context, *session) (io.ReadCloser, error)) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(e.timeouts.Query, func() { cancel(ErrTimeout) })
	var body io.ReadCloser
	err := e.try(ctx, func(ctx context.Context, s *session) (err error) {
		body, err = fn(ctx, s)
		return err
	})
	if !timer.Stop() && err == nil {
		_ = body.Close()
		err = ErrTimeout
	}
	if err != nil {
		if errors.Is(causeOf(ctx), ErrTimeout) && !errors.Is(err, ErrTimeout) {
			err = fmt.Errorf("%w: %w", ErrTimeout, err)
		}
		cancel(nil)
		return nil, err
	}
	return &opened{ReadCloser: body, cancel: sync.OnceFunc(func() { cancel(nil) })}, nil
}

// opened is a body whose Close releases the request too.
type opened struct {
	io.ReadCloser
	cancel func()
}

// Close implements io.Closer.
func (o *opened) Close() error {
	o.cancel()
	return o.ReadCloser.Close()
}
