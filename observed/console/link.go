package console

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// minRetry and maxRetry bound the pause before a stream that ended is opened again.
	minRetry = 100 * time.Millisecond
	maxRetry = 5 * time.Second
	// steady is how long a stream must have been open for its end to count as no failure.
	steady = 5 * time.Second
	// openTime bounds the opening of a stream.
	openTime = 10 * time.Second
)

// retryBackoff is the pauses before a stream that ended is opened again.
func retryBackoff() wait.Backoff { return backoffFrom(minRetry, maxRetry) }

// life names one run of a container. StartedAt is zero while it is not known.
type life struct {
	Target
	startedAt time.Time
}

func (l life) is(o life) bool { return l.Target == o.Target && l.startedAt.Equal(o.startedAt) }

// link keeps at most one stream of a kind open for one id. All its methods but the
// stream's own goroutine are called with the owner's lock held.
type link struct {
	c     *Console
	mu    sync.Locker
	serve func(s *stream) error
	// ended is called with the lock held when the current stream is over, and settle
	// without it when it is time to look again at what is wanted.
	ended  func(s *stream)
	settle func()

	cur    *stream
	failed life // what retry waits for
	retry  *time.Timer
	pauses wait.Backoff
}

// stream is one open stream, or one that is being opened.
type stream struct {
	life   // startedAt is under the owner's lock
	link   *link
	ctx    context.Context
	cancel context.CancelFunc
	since  time.Time
	whole  bool // it is opened before the start of the run
	// up is closed when the stream is open, done when it is over; err is why.
	up, done chan struct{}
	err      error
}

// aim makes want, when ok, the life whose stream is open. It returns a stream that is no
// longer the current one, and that the caller is to cancel.
func (l *link) aim(want life, ok bool) (old *stream) {
	if l.cur != nil && ok && l.cur.Target == want.Target {
		if !want.startedAt.IsZero() {
			l.cur.startedAt = want.startedAt
		}
		return nil
	}
	if old = l.cur; old != nil {
		l.cur = nil
	}
	if l.retry != nil && (!ok || !want.is(l.failed)) {
		l.calm()
	}
	if ok && l.retry == nil {
		l.open(want)
	}
	return old
}

// calm forgets past failures.
func (l *link) calm() {
	if l.retry != nil {
		l.retry.Stop()
		l.retry = nil
	}
	l.pauses = retryBackoff()
}

// open starts a stream and makes it the current one.
func (l *link) open(want life) *stream {
	ctx, cancel := context.WithCancel(l.c.ctx)
	s := &stream{
		life: want, link: l, ctx: ctx, cancel: cancel, since: time.Now(),
		up: make(chan struct{}), done: make(chan struct{}),
	}
	if !l.c.goes(s.run) {
		cancel()
		s.err = ErrClosed
		close(s.done)
		return s
	}
	l.cur = s
	return s
}

// opened says that the stream is open.
func (s *stream) opened() { close(s.up) }

// isOpen reports whether opened was called.
func (s *stream) isOpen() bool {
	select {
	case <-s.up:
		return true
	default:
		return false
	}
}

func (s *stream) run() {
	late := time.AfterFunc(openTime, func() {
		if !s.isOpen() {
			s.cancel()
		}
	})
	s.err = s.link.serve(s)
	late.Stop()
	s.cancel()
	s.link.over(s)
	close(s.done)
}

// over takes note that s ended and plans to look again if it was wanted.
func (l *link) over(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cur != s {
		return
	}
	l.cur = nil
	if s.isOpen() && time.Since(s.since) >= steady {
		l.pauses = retryBackoff()
	}
	l.failed = s.life
	if l.c.ctx.Err() == nil {
		l.later()
	}
	l.ended(s)
}

// later looks again at what is wanted after a pause.
func (l *link) later() {
	var timer *time.Timer
	timer = time.AfterFunc(l.pauses.Step(), func() {
		l.mu.Lock()
		mine := l.retry == timer
		if mine {
			l.retry = nil
		}
		l.mu.Unlock()
		if mine {
			l.settle()
		}
	})
	l.retry = timer
}
