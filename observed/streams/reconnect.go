package streams

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// steady is how long a stream must have been open for its end to count as no failure.
	steady = 5 * time.Second
	// OpenTime bounds the opening of a stream.
	OpenTime = 10 * time.Second
)

// Handler does what a Reconnector decides.
type Handler interface {
	// Serve reads s until it ends, and calls Opened once it is open.
	Serve(s *Stream) error
	// StreamEndedLocked is called with the owner's lock held when the current stream has ended.
	StreamEndedLocked(s *Stream)
	// Reconcile is called when it is time to open a stream again, if it is still needed. It
	// takes the lock.
	Reconcile()
}

// Reconnector keeps at most one stream of a kind open for one id. All its methods are called with
// the owner's lock held.
type Reconnector struct {
	group   *Group
	mu      sync.Locker
	handler Handler

	current *Stream
	failed  Run // what retry waits for
	retry   *time.Timer
	backoff wait.Backoff
}

// NewReconnector returns a Reconnector of an owner with lock mu, which opens nothing yet.
func NewReconnector(g *Group, mu sync.Locker, h Handler) *Reconnector {
	return &Reconnector{group: g, mu: mu, handler: h, backoff: RetryBackoff()}
}

// Stream is one open stream, or one that is being opened.
type Stream struct {
	Run // StartedAt is under the owner's lock
	// BeforeStart is true when it is opened before the start of the run.
	BeforeStart bool

	owner    *Reconnector
	ctx      context.Context
	cancel   context.CancelFunc
	began    time.Time
	up, done chan struct{}
	err      error
}

// Current returns the current stream, nil where there is none.
func (r *Reconnector) Current() *Stream { return r.current }

// SetTarget makes want, when needed, the run whose stream is open. It returns a stream that is no
// longer the current one, and that the caller cancels.
func (r *Reconnector) SetTarget(want Run, needed bool) (old *Stream) {
	if r.current != nil && needed && r.current.Target == want.Target {
		if !want.StartedAt.IsZero() {
			r.current.StartedAt = want.StartedAt
		}
		return nil
	}
	old = r.Detach()
	if r.retry != nil && (!needed || !want.Equal(r.failed)) {
		r.ResetBackoff()
	}
	if needed && r.retry == nil {
		r.Open(want)
	}
	return old
}

// Detach returns the current stream, which is no longer the current one, and goes on.
func (r *Reconnector) Detach() *Stream {
	old := r.current
	r.current = nil
	return old
}

// ResetBackoff clears past failures.
func (r *Reconnector) ResetBackoff() {
	if r.retry != nil {
		r.retry.Stop()
		r.retry = nil
	}
	r.backoff = RetryBackoff()
}

// Stop cancels the current stream, and opens none again.
func (r *Reconnector) Stop() {
	r.ResetBackoff()
	if s := r.Detach(); s != nil {
		s.Cancel()
	}
}

// Open starts a stream and makes it the current one.
func (r *Reconnector) Open(want Run) *Stream {
	ctx, cancel := context.WithCancel(r.group.ctx)
	s := &Stream{
		Run: want, owner: r, ctx: ctx, cancel: cancel, began: time.Now(),
		up: make(chan struct{}), done: make(chan struct{}),
	}
	if !r.group.Go(s.run) {
		cancel()
		s.err = ErrClosed
		close(s.done)
		return s
	}
	r.current = s
	return s
}

// Context returns what ends with the stream.
func (s *Stream) Context() context.Context { return s.ctx }

// Cancel ends the stream.
func (s *Stream) Cancel() { s.cancel() }

// Opened reports to the owner that the stream is open. Serve calls it once.
func (s *Stream) Opened() { close(s.up) }

// Up is closed when the stream is open.
func (s *Stream) Up() <-chan struct{} { return s.up }

// Done is closed when the stream has ended.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Err returns why the stream ended, once Done is closed or its end is reported.
func (s *Stream) Err() error { return s.err }

// IsOpen reports whether Opened was called.
func (s *Stream) IsOpen() bool {
	select {
	case <-s.up:
		return true
	default:
		return false
	}
}

func (s *Stream) run() {
	late := time.AfterFunc(OpenTime, func() {
		if !s.IsOpen() {
			s.cancel()
		}
	})
	s.err = s.owner.handler.Serve(s)
	late.Stop()
	s.cancel()
	s.owner.streamEnded(s)
	close(s.done)
}

// streamEnded plans to open the stream again if s was needed.
func (r *Reconnector) streamEnded(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != s {
		return
	}
	r.current = nil
	if s.IsOpen() && time.Since(s.began) >= steady {
		r.backoff = RetryBackoff()
	}
	r.failed = s.Run
	if r.group.ctx.Err() == nil {
		r.retryLater()
	}
	r.handler.StreamEndedLocked(s)
}

// retryLater reconciles after a pause.
func (r *Reconnector) retryLater() {
	var timer *time.Timer
	timer = time.AfterFunc(r.backoff.Step(), func() {
		r.mu.Lock()
		due := r.retry == timer
		if due {
			r.retry = nil
		}
		r.mu.Unlock()
		if due {
			r.handler.Reconcile()
		}
	})
	r.retry = timer
}
