package console

import (
	"context"
	"time"
)

// pace blocks while a subscriber is full that has a block budget.
func (h *hub) pace(ctx context.Context) {
	for ctx.Err() == nil {
		slow, least := h.slowSubscribers()
		if len(slow) == 0 {
			return
		}
		begun := time.Now()
		timer := time.NewTimer(least)
		select {
		case <-h.room:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		for _, s := range slow {
			s.chargeBlocked(time.Since(begun))
		}
	}
}

// slowSubscribers returns the subscribers to wait for, and the least budget of one of them.
func (h *hub) slowSubscribers() (slow []*Subscription, least time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	least = blockTime
	for s := range h.subs {
		if left := s.blockBudgetLeft(); s.live && left > 0 {
			slow, least = append(slow, s), min(least, left)
		}
	}
	return slow, least
}
