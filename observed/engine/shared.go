package engine

import (
	"context"
	"errors"
	"sync"
	"time"
)

// shared gives callers that ask the same at the same time one answer. Who comes while a call is under way waits for
// the next one, which begins later: nobody gets an answer that is older than the own request. The zero
// value is usable. An answer is read-only.
type shared[T any] struct {
	mu sync.Mutex
	// running is under way, next begins when that has ended; nil for none.
	running, next *sharedAnswer[T]
}

// sharedAnswer is one call. Value and err are read once done is closed.
type sharedAnswer[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// errUnanswered is what a call comes to that panics.
var errUnanswered = errors.New("the call has not ended")

// sharedWait is how long a caller waits for the call of another one: that may hang, and what it is for with it.
const sharedWait = 100 * time.Millisecond

// do returns the answer of call, or that of the same call of another caller. Errors are not shared: the context of
// that caller may have ended.
func (s *shared[T]) do(ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	s.mu.Lock()
	running, next := s.running, s.next
	mine := &sharedAnswer[T]{done: make(chan struct{}), err: errUnanswered}
	switch {
	case next != nil:
		s.mu.Unlock()
		if awaitShared(ctx, next.done) && next.err == nil {
			return next.value, nil
		}
		return call(ctx)
	case running != nil:
		s.next = mine
		s.mu.Unlock()
		awaitShared(ctx, running.done)
		s.mu.Lock()
		s.next = nil
	}
	s.running = mine
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.running == mine {
			s.running = nil
		}
		close(mine.done)
	}()
	mine.value, mine.err = call(ctx)
	return mine.value, mine.err
}

// awaitShared reports whether done was closed within sharedWait.
func awaitShared(ctx context.Context, done <-chan struct{}) bool {
	timer := time.NewTimer(sharedWait)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}
