package console

import "context"

// Subscribe follows the output of id, of whichever of its containers runs, now and later.
// What from asks for comes first; nothing is missing between it and what is printed now, and
// nothing is repeated.
func (c *Console) Subscribe(id string, from From) *Subscription {
	h := c.hub(id)
	s := &Subscription{
		hub:  h,
		from: from,
		out:  make(chan Chunk),
		wake: make(chan struct{}, 1),

		blockBudget: blockTime,
	}
	s.ctx, s.stop = context.WithCancel(c.group.Context())
	h.mu.Lock()
	lingered := h.subscribeLocked(s)
	h.mu.Unlock()
	if lingered {
		c.release(h)
	}
	if !c.group.Go(s.forward) {
		close(s.out)
	}
	return s
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.stop()
		h := s.hub
		h.mu.Lock()
		lingers := h.unsubscribeLocked(s)
		h.mu.Unlock()
		if !lingers {
			h.c.release(h)
		}
	})
}

// subscribeLocked takes s in, and gives it what is in memory, if that is all that it asks for.
func (h *hub) subscribeLocked(s *Subscription) (lingered bool) {
	lingered = h.endLingerLocked()
	h.startRecordLocked()
	h.subs[s] = struct{}{}
	if s.from.isNow() {
		s.live = true
	} else if chunks, ok := h.fromRingLocked(s.from); ok {
		s.switchToLiveLocked(chunks, 0)
	}
	h.reconcileLocked()
	return lingered
}

// unsubscribeLocked reports whether the use of the hub that s had is taken over.
func (h *hub) unsubscribeLocked(s *Subscription) (lingers bool) {
	delete(h.subs, s)
	if len(h.subs) == 0 && h.output.Current() != nil && h.c.group.Context().Err() == nil {
		h.keepAliveLocked(lingerTime)
	}
	h.reconcileLocked()
	return h.linger != nil && len(h.subs) == 0
}

// forward hands chunks out until the subscription or the console is closed.
func (s *Subscription) forward() {
	defer close(s.out)
	if !s.hub.isLive(s) {
		s.join()
	}
	for {
		chunk, ok := s.take()
		if !ok {
			select {
			case <-s.wake:
			case <-s.ctx.Done():
				return
			}
			continue
		}
		if !s.deliver(chunk) {
			return
		}
	}
}

// isLive reports whether s gets what is printed now.
func (h *hub) isLive(s *Subscription) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.live
}

// join hands out what s requested from Docker's log, and makes it live.
func (s *Subscription) join() {
	w := writerTo(s.deliver)
	offset, err := s.hub.replayLog(s.ctx, s.from, w, true)
	if s.ctx.Err() != nil {
		return
	}
	s.hub.endHistory(w, err)
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if offset < 0 {
		offset = h.ring.end
	}
	s.switchToLiveLocked(h.ring.after(offset))
}
