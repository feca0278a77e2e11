package console

import (
	"context"
	"time"

	"lightd/observed/replay"
)

// A subscriber that takes what a program prints may pace the program, for otherwise one
// that is as fast as can be would lose text whenever it is a little behind. For how long the
// output stream is left unread for it is bounded: by pacing for each MiB that it takes. One
// that takes less than that makes, 4 MiB/s, loses text, and is not waited for again until it
// has caught up; nothing that is stuck delays anybody by more than pacing, once.
//
// Where a quarter of the subscribers have a backlog it is not that one which is slow but all:
// the machine is busy with them. Then each has more time, the more there are.
const (
	pacing   = 250 * time.Millisecond
	paceUnit = 1 << 20
	// company is how many subscribers more it takes until each may be half as fast.
	company = 8
)

// full reports whether a queue has no room for what may be read next.
func (s *Subscription) full() bool { return s.size > maxQueue-2*replay.MaxChunk }

// state returns for how long s may be waited for, zero when it need not be, how much waits
// for it, and whether it is behind.
func (s *Subscription) state() (patience time.Duration, backlog int, behind bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full() {
		patience = s.credit
	}
	return patience, s.size, s.behind
}

// chargeBlocked says that s was waited for.
func (s *Subscription) chargeBlocked(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.credit -= d; s.credit <= 0 {
		s.credit, s.behind = 0, true
	}
}

// refill says that s took n bytes. The caller has the lock.
func (s *Subscription) refill(n int) {
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
		slow, share, least := h.slowSubscribers()
		if len(slow) == 0 {
			return
		}
		begun := time.Now()
		timer := time.NewTimer(max(time.Millisecond, time.Duration(float64(least)/share)))
		select {
		case <-h.room:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		waited := time.Duration(share * float64(time.Since(begun)))
		for _, s := range slow {
			s.chargeBlocked(waited)
		}
	}
}

// slowSubscribers returns the subscribers that are to be waited for, which part of the time is
// charged to them, and the least that one of them has left.
func (h *hub) slowSubscribers() (slow []*Subscription, share float64, least time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all, backlogs := 0, 0
	least = pacing
	for s := range h.subs {
		if !s.live {
			continue
		}
		patience, backlog, behind := s.state()
		if behind {
			continue
		}
		all++
		if backlog > maxQueue/4 {
			backlogs++
		}
		if patience > 0 {
			slow = append(slow, s)
			least = min(least, patience)
		}
	}
	share = 1
	if 4*backlogs > all {
		share = company / float64(company+all-1)
	}
	return slow, share, least
}
