package console

import (
	"time"

	"lightd/observed/replay"
)

// batchDue implements batchReceiver.
func (h *hub) batchDue() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.due(time.Now())
}

// startRecord begins to keep text, unless that has begun.
func (h *hub) startRecord() {
	if h.ring.id == 0 {
		h.ring.begin()
		h.recorded = time.Now()
	}
}

// endRecord keeps nothing any more.
func (h *hub) endRecord() {
	h.ring, h.recorded = ring{}, time.Time{}
	h.text.stop()
	h.text.Composer = replay.Composer{}
}

// broadcast implements batchReceiver: it hands text to all subscribers.
func (h *hub) broadcast(text string) {
	if h.ring.id == 0 {
		return
	}
	h.ring.end += int64(len(text))
	h.fanOut(Chunk{Text: text})
}

// sendNotice hands a notice to all subscribers.
func (h *hub) sendNotice(notice string) {
	h.text.flush(time.Now())
	h.fanOut(Chunk{Notice: notice})
}

func (h *hub) fanOut(c Chunk) {
	p := h.text.Position(time.Now())
	p.Ring, p.Offset = h.ring.id, h.ring.end
	c.Position, c.encoded = p.String(), new(encoding)
	h.ring.add(c, h.text.Container)
	for s := range h.subs {
		if s.live {
			s.push(c)
		}
	}
}

// subscribe takes s in, and gives it what is in memory, if that is all that it asks for.
func (h *hub) subscribe(s *Subscription) (lingered bool) {
	lingered = h.endLinger()
	h.startRecord()
	h.subs[s] = struct{}{}
	if s.from.isNow() {
		s.live = true
	} else if chunks, ok := h.fromRing(s.from); ok {
		s.switchToLive(chunks, 0)
	}
	h.reconcileLocked()
	return lingered
}

// fromRing returns what from asks for, up to the present, if that is in memory.
func (h *hub) fromRing(from From) (chunks []Chunk, ok bool) {
	h.text.lines(time.Now())
	if !from.Since.IsZero() {
		return h.ring.since(from.Since)
	}
	c := replay.TailOf(h.c.cfg.Targets.Get(h.id))
	if c == nil {
		return nil, false
	}
	return h.ring.lines(min(from.Lines, replay.MaxLines), replay.ContainerKey(c.ContainerID))
}

// unsubscribe reports whether the use of the hub that s had is taken over.
func (h *hub) unsubscribe(s *Subscription) (lingers bool) {
	delete(h.subs, s)
	if len(h.subs) == 0 && h.output.Current() != nil && h.c.group.Context().Err() == nil {
		h.keepAlive(lingerTime)
	}
	h.reconcileLocked()
	return h.linger != nil && len(h.subs) == 0
}

// keepAlive makes the hub linger, with a use of its own.
func (h *hub) keepAlive(d time.Duration) { h.linger = time.AfterFunc(d, h.lingerDue) }

// endLinger ends the lingering, and reports whether there is a use of the hub to be released.
func (h *hub) endLinger() bool {
	if h.linger == nil {
		return false
	}
	h.linger.Stop()
	h.linger = nil
	return true
}

func (h *hub) lingerDue() {
	h.mu.Lock()
	over := len(h.subs) == 0 && h.endLinger()
	if over {
		h.reconcileLocked()
	}
	h.mu.Unlock()
	if over {
		h.c.release(h)
	}
}
