package console

import (
	"context"
	"time"
)

// A subscriber that takes what a program prints may pace the program, for otherwise one
// that is as fast as can be would lose text whenever it is a little behind. How long the
// output stream is left unread for it is bounded: by pacing for each MiB that it takes. One
// that takes less than that makes 4 MiB/s loses text, and is not waited for again until it
// has caught up; nothing that is stuck delays anybody by more than pacing, once.
const (
	pacing   = 250 * time.Millisecond
	paceUnit = 1 << 20
)

// full reports whether a queue has no room for what may be read next.
func (s *Subscription) full() bool { return s.size > maxQueue-2*maxChunk }

// patience returns for how long s may be waited for, zero when it need not be.
func (s *Subscription) patience() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.full() {
		return 0
	}
	return s.credit
}

// charge says that s was waited for.
func (s *Subscription) charge(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.credit -= d; s.credit <= 0 {
		s.credit, s.behind = 0, true
	}
}

// earn says that s took n bytes. The caller has the lock.
func (s *Subscription) earn(n int) {
	switch {
	case !s.behind:
		s.credit = min(pacing, s.credit+pacing*time.Duration(n)/paceUnit)
	case len(s.queue) == 0:
		s.credit, s.behind = pacing, false
	}
}

// pace waits while a subscriber deserves it.
func (h *hub) pace(ctx context.Context) {
	for ctx.Err() == nil {
		var slow []*Subscription
		wait := pacing
		h.mu.Lock()
		for s := range h.subs {
			if d := s.patience(); s.live && d > 0 {
				slow = append(slow, s)
				wait = min(wait, d)
			}
		}
		h.mu.Unlock()
		if len(slow) == 0 {
			return
		}
		begun := time.Now()
		timer := time.NewTimer(wait)
		select {
		case <-h.room:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		waited := time.Since(begun)
		for _, s := range slow {
			s.charge(waited)
		}
	}
}
