package console

import (
	"time"

	"lightd/observed/replay"
)

// batchDue implements batchReceiver.
func (h *hub) batchDue() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.due()
}

// startRecordLocked keeps text in the ring from now on, if it does not already.
func (h *hub) startRecordLocked() {
	if h.ring.id == 0 {
		h.ring.begin()
		h.recorded = time.Now()
	}
}

// endRecordLocked drops the ring and all text.
func (h *hub) endRecordLocked() {
	h.ring, h.recorded = ring{}, time.Time{}
	h.text.stop()
	h.text.Composer = replay.Composer{}
}

// broadcastLocked implements batchReceiver: it hands text to all subscribers.
func (h *hub) broadcastLocked(text string) {
	if h.ring.id == 0 {
		return
	}
	h.ring.end += int64(len(text))
	h.fanOutLocked(Chunk{Text: text})
}

// sendNoticeLocked hands a notice to all subscribers.
func (h *hub) sendNoticeLocked(notice string) {
	h.text.flush()
	h.fanOutLocked(Chunk{Notice: notice})
}

func (h *hub) fanOutLocked(c Chunk) {
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
