package stdin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/streams"
)

// TestOpenInputIsBounded: a client that never ends its line.
func TestOpenInputIsBounded(t *testing.T) {
	var in Input
	for range 100 {
		if !in.add(false, []byte(strings.Repeat("x", 1000))) {
			t.Fatal("the line is not open")
		}
	}
	if cap(in.open) > 4*maxOpenInput || !in.partial || in.typedAgain() != nil {
		t.Errorf("keeps %d bytes", cap(in.open))
	}
	if in.add(false, []byte("\n")) || in.partial || len(in.open) > 0 {
		t.Error("the line has no end")
	}
}

// ending is a container whose process ends while the connection to its input is opened.
type ending struct {
	mu    sync.Mutex
	ended bool
}

// Get is that of streams.Targets.
func (e *ending) Get(string) observed.Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	run := &observed.Container{ContainerID: "c"}
	run.Phase = observed.Running
	if e.ended {
		run.Phase = observed.Exited
	}
	return observed.Snapshot{Known: true, EngineUp: true, Run: run}
}

// AttachInput is that of Source.
func (e *ending) AttachInput(context.Context, string) (streams.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
	conn, other := net.Pipe()
	return conn, other.Close()
}

// Resize is that of Source.
func (*ending) Resize(context.Context, string, int, int) error { return nil }

// pausing is a container that Docker refuses the input of, as it is paused.
type pausing struct{ ending }

// AttachInput is that of Source.
func (*pausing) AttachInput(context.Context, string) (streams.Conn, error) {
	return nil, fmt.Errorf("attach: %w", cerrdefs.ErrConflict)
}

// TestPausedContainerHasNoInput: the refusal says why, as the engine is not at fault.
func TestPausedContainerHasNoInput(t *testing.T) {
	p := &pausing{}
	r := New(Config{Source: p, Targets: p, AwaitOutput: func(context.Context, string) {}, Typed: func(string, streams.Run, []byte) {}, Log: slog.New(slog.DiscardHandler)})
	defer r.Close()
	if err := r.WriteLine(t.Context(), "web", "say hi"); !errors.Is(err, ErrPaused) {
		t.Errorf("got %v", err)
	}
}

// stopped is a container that a Podman shows to be no longer running.
type stopped struct{ ending }

// AttachInput is that of Source.
func (*stopped) AttachInput(context.Context, string) (streams.Conn, error) {
	return nil, fmt.Errorf("attach: %w", engine.ErrNotRunning)
}

// TestStoppedContainerHasNoInput: what is refused as it does not run is not called paused.
func TestStoppedContainerHasNoInput(t *testing.T) {
	p := &stopped{}
	r := New(Config{Source: p, Targets: p, AwaitOutput: func(context.Context, string) {}, Typed: func(string, streams.Run, []byte) {}, Log: slog.New(slog.DiscardHandler)})
	defer r.Close()
	if err := r.WriteLine(t.Context(), "web", "say hi"); !errors.Is(err, ErrNotRunning) || errors.Is(err, ErrPaused) {
		t.Errorf("got %v", err)
	}
}

// TestRunEndsWhileInputOpens: a command to a process that ends meanwhile finds none running, and what waits for the end
// of the connection waits for that one.
func TestRunEndsWhileInputOpens(t *testing.T) {
	for range 100 {
		e := &ending{}
		r := New(Config{Source: e, Targets: e, AwaitOutput: func(context.Context, string) {}, Typed: func(string, streams.Run, []byte) {}, Log: slog.New(slog.DiscardHandler)})
		if err := r.WriteLine(t.Context(), "web", "say hi"); !errors.Is(err, ErrNotRunning) {
			t.Errorf("got %v", err)
		}
		r.Close()
	}
}

// rebooting is a container that is known only a while after the daemon has started.
type rebooting struct {
	ending
	known bool
}

// Get is that of streams.Targets.
func (r *rebooting) Get(id string) observed.Snapshot {
	r.mu.Lock()
	known := r.known
	r.mu.Unlock()
	if !known {
		return observed.Snapshot{}
	}
	return r.ending.Get(id)
}

// AttachInput is that of Source.
func (*rebooting) AttachInput(context.Context, string) (streams.Conn, error) {
	conn, other := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, other) }()
	return conn, nil
}

// TestCommandBeforeTheContainerIsKnown: a command just after a start of the daemon waits for what runs, and is told that
// it is not known, not that nothing runs.
func TestCommandBeforeTheContainerIsKnown(t *testing.T) {
	for _, test := range []struct{ answersAfter, took time.Duration }{{time.Second, time.Second}, {time.Minute, writeTime}} {
		synctest.Test(t, func(t *testing.T) {
			e := &rebooting{}
			r := New(Config{Source: e, Targets: e, AwaitOutput: func(context.Context, string) {}, Typed: func(string, streams.Run, []byte) {}, Log: slog.New(slog.DiscardHandler)})
			defer r.Close()
			began := time.Now()
			var group sync.WaitGroup
			defer group.Wait()
			group.Go(func() {
				time.Sleep(test.answersAfter)
				e.mu.Lock()
				e.known = true
				e.mu.Unlock()
				r.Reconcile("web")
			})
			err := r.WriteLine(t.Context(), "web", "say hi")
			if took := time.Since(began); took != test.took || (err == nil) != (test.answersAfter < writeTime) || errors.Is(err, ErrNotRunning) {
				t.Errorf("the engine answers after %v: %v after %v", test.answersAfter, err, took)
			}
		})
	}
}
