package console

import (
	"sync"

	"lightd/observed"
)

// StatsSubscription is one follower of the figures of an id.
type StatsSubscription struct {
	hub  *hub
	once sync.Once
	// out has room for one value, the newest; sends and its closing are under the
	// hub's lock.
	out    chan observed.Stats
	closed bool
}

// SubscribeStats follows the figures of the runtime container of id while it runs. The last
// known ones come at once, later ones about once a second when they differ. A slow
// subscriber gets the newest.
func (c *Console) SubscribeStats(id string) *StatsSubscription {
	h := c.hub(id)
	s := &StatsSubscription{hub: h, out: make(chan observed.Stats, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.ctx.Err() != nil {
		s.shut()
	}
	h.watchers[s] = struct{}{}
	h.settle()
	if h.last != nil {
		s.push(*h.last)
	}
	return s
}

// C returns the channel of figures. It is closed after Close, and when the console closes.
func (s *StatsSubscription) C() <-chan observed.Stats { return s.out }

// Close ends the subscription. It may be called more than once.
func (s *StatsSubscription) Close() {
	s.once.Do(func() {
		h := s.hub
		h.mu.Lock()
		delete(h.watchers, s)
		s.shut()
		h.settle()
		h.mu.Unlock()
		h.c.release(h)
	})
}

func (s *StatsSubscription) shut() {
	if !s.closed {
		s.closed = true
		close(s.out)
	}
}

// push replaces what the subscriber has not taken yet.
func (s *StatsSubscription) push(v observed.Stats) {
	if s.closed {
		return
	}
	select {
	case <-s.out:
	default:
	}
	s.out <- v
}

func (h *hub) settleStats(s observed.Snapshot) {
	up := s.Run.Running()
	var want life
	if up {
		want = lifeOf(s.Run)
	}
	if !up || h.figures.cur != nil && !h.figures.cur.is(want) {
		h.last = nil
	}
	open := up && len(h.watchers) > 0
	if !open {
		h.last = nil
	}
	if open && !s.EngineUp && h.figures.cur == nil {
		return // the engine's return is told
	}
	if old := h.figures.aim(want, open); old != nil {
		old.cancel()
	}
}

func (h *hub) serveStats(s *stream) error {
	return h.c.cfg.Streams.Stats(s.ctx, s.ContainerID, func(v observed.Stats) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.figures.cur != s || v == (observed.Stats{}) {
			return // of another life, or of no process
		}
		if !s.isOpen() {
			s.opened()
		}
		if h.last != nil && *h.last == v {
			return
		}
		h.last = &v
		for w := range h.watchers {
			w.push(v)
		}
	})
}
