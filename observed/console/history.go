package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lightd/observed"
)

const (
	// maxLines bounds how many of the last lines are told.
	maxLines = 5000
	// maxTail bounds their size, in bytes.
	maxTail = 4 << 20
)

// isLive reports whether s gets what is printed now.
func (h *hub) isLive(s *Subscription) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.live
}

// join hands out what s asked for from Docker's log, and makes it live.
func (s *Subscription) join() {
	w := &writer{hand: s.hand}
	offset, err := s.hub.tellHistory(s.ctx, s.from, w, true)
	if s.ctx.Err() != nil {
		return
	}
	w.end(s.hub, err)
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if offset < 0 {
		offset = h.ring.end
	}
	s.goLive(h.ring.after(offset))
}

// History hands what lies behind a position, or the last lines, to fn, up to the present: all
// that a subscriber was handed before the call is there. It ends with the first error of fn,
// which it returns. A gap is told, as a Notice.
func (c *Console) History(ctx context.Context, id string, from From, fn func(Chunk) error) error {
	h := c.hub(id)
	defer c.release(h)
	if from.isNow() {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(c.ctx, cancel)
	defer stop()
	var failed error
	hand := func(chunk Chunk) bool {
		if failed == nil {
			failed = fn(chunk)
		}
		if failed != nil {
			cancel()
		}
		return failed == nil
	}
	err := h.tellPast(ctx, from, hand)
	if err := cmp.Or(failed, err, ctx.Err()); err != nil {
		return fmt.Errorf("read output of %q: %w", id, err)
	}
	return nil
}

// tellPast hands out what from asks for, up to the present.
func (h *hub) tellPast(ctx context.Context, from From, hand func(Chunk) bool) error {
	h.mu.Lock()
	chunks, ok := []Chunk(nil), h.current()
	if ok {
		chunks, ok = h.recall(from)
	}
	h.mu.Unlock()
	if ok {
		for _, c := range chunks {
			if !hand(c) {
				break
			}
		}
		return nil
	}
	w := &writer{hand: hand}
	_, err := h.tellHistory(ctx, from, w, false)
	if errors.Is(err, errSeam) {
		w.notice(noticeSeam)
		err = nil
	}
	w.flush()
	return err
}

// writer makes chunks of entries of the log.
type writer struct {
	composer
	hand func(Chunk) bool
}

// turn begins with a container behind a position of it; nil is its beginning.
func (w *writer) turn(containerID string, from *Position) {
	w.flush()
	w.container = named(containerID)
	for i := range w.outs {
		w.outs[i].reset(time.Time{}, false)
		if from != nil {
			w.outs[i].reset(from.outs[i].at, false)
			w.outs[i].base = from.outs[i]
		}
	}
}

func (w *writer) add(e entry) {
	w.composer.add(e.out, e.text, e.at)
	for len(w.buf) >= maxChunk {
		w.cut(lineCut(w.buf[:maxChunk]))
	}
}

func (w *writer) cut(n int) {
	text := w.take(n)
	w.hand(Chunk{Text: text, Position: w.position().String()})
}

func (w *writer) notice(text string) {
	w.flush()
	w.hand(Chunk{Notice: text, Position: w.position().String()})
}

// flush hands out what there is.
func (w *writer) flush() {
	if len(w.buf) > 0 {
		w.cut(len(w.buf))
	}
}

// position is behind what was handed out. Of an output that was silent it is as late as
// that of the other: the log has both in one order.
func (w *writer) position() Position {
	p := w.composer.position(time.Time{})
	last := p.last()
	for i := range p.outs {
		if p.outs[i].at.IsZero() {
			p.outs[i].at = last
		}
	}
	return p
}

// end tells how the history ended.
func (w *writer) end(h *hub, err error) {
	switch {
	case errors.Is(err, errSeam):
		w.notice(noticeSeam)
	case errors.Is(err, ErrNoContainer):
	case err != nil:
		h.c.cfg.Log.Warn("cannot read log for a subscriber", "id", h.id, "error", err)
		w.notice(noticeNoLog)
	}
	w.flush()
}

// tellHistory writes what from asks for, and returns the offset in the ring from where
// on the rest is, or -1 when nothing of it is there. It ends where that begins or, unless
// live, where the log ends if nothing is followed.
func (h *hub) tellHistory(ctx context.Context, from From, w *writer, live bool) (offset int64, err error) {
	s, err := h.awaitKnown(ctx, live)
	if err != nil {
		return -1, err
	}
	legs, moved := legsOf(s, from)
	if len(legs) == 0 {
		return -1, ErrNoContainer
	}
	if moved {
		w.notice(noticeMoved)
	}
	offset = -1
	for i, l := range legs {
		w.turn(l.ContainerID, l.from)
		p := passage{c: h.c, Target: l.Target, keeps: l.keeps, from: l.from, lines: l.lines, emit: w.add, notice: w.notice}
		if i == len(legs)-1 {
			p.seam = func() (to *seam) {
				to, offset = h.seam(l.Target, live)
				return to
			}
		}
		if err := p.run(ctx); err != nil {
			return offset, err
		}
		if live && i == len(legs)-1 {
			h.learn(l.Target, p.splice)
		}
	}
	return offset, nil
}

// leg is one container's part of a history.
type leg struct {
	Target
	keeps int64
	from  *Position
	lines int
}

// legsOf returns which logs are to be read for what lies behind a position. Moved tells
// that its container is gone.
func legsOf(s observed.Snapshot, from From) (legs []leg, moved bool) {
	var all []*observed.Container
	for _, c := range []*observed.Container{s.Install, s.Run} {
		if c != nil {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *observed.Container) int { return a.StartedAt.Compare(b.StartedAt) })
	p := from.Since
	if p.IsZero() {
		if c := toTail(s); c != nil {
			legs = append(legs, leg{Target: targetOf(c), keeps: keeps(c.Log), lines: min(from.Lines, maxLines)})
		}
		return legs, false
	}
	moved = p.container != 0
	for _, c := range all {
		l := leg{Target: targetOf(c), keeps: keeps(c.Log)}
		switch {
		case named(c.ContainerID) == p.container:
			legs, moved = nil, false
			l.from = &p
		case !c.StartedAt.After(p.last()):
			at := At(p.last())
			l.from = &at
		}
		legs = append(legs, l)
	}
	return legs, moved
}

// toTail returns the container whose last lines are of interest, nil when there is none.
func toTail(s observed.Snapshot) *observed.Container {
	if s.Install.Running() || s.Run == nil {
		return s.Install
	}
	return s.Run
}

// awaitKnown returns the observation once it is one, and with live once what runs is
// followed.
func (h *hub) awaitKnown(ctx context.Context, live bool) (observed.Snapshot, error) {
	begun := time.Now()
	for backoff := backoffFrom(2*time.Millisecond, 100*time.Millisecond); ; {
		s := h.c.cfg.Targets.Get(h.id)
		since := time.Since(begun)
		switch {
		case s.Known && (!live || h.follows(s) || since > openedTime):
			return s, nil
		case !s.Known && since > knownTime:
			return s, errUnseen
		case ctx.Err() != nil:
			return s, ctx.Err()
		}
		sleep(ctx, backoff.Step())
	}
}

// errUnseen: the engine does not tell which containers there are.
var errUnseen = errors.New("engine is out of sight")

// follows reports whether what runs is followed.
func (h *hub) follows(s observed.Snapshot) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	want, up := h.wanted(s)
	return !up || h.output.cur != nil && h.output.cur.Target == want.Target && h.output.cur.isOpen()
}

// learn takes note of what the log and a position have told of the text before that which is
// followed.
func (h *hub) learn(t Target, s *splice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.text.container != named(t.ContainerID) {
		return
	}
	for i := range s.strands {
		st, t := &s.strands[i], &h.text.outs[i]
		if !t.began.Equal(st.to.began) {
			continue
		}
		if st.isOlder() {
			t.learnOpen(st.skip)
		}
		if st.meets.found && !t.whole && len(st.to.tail) > 0 {
			t.learnBefore(st.before, s.since)
		}
	}
}

// current reports whether the text in memory is all that was printed up to now.
func (h *hub) current() bool {
	cur := h.output.cur
	return cur != nil && cur.isOpen() && !h.holds && h.text.container == named(cur.ContainerID)
}

// seam returns where the output of a container is, as far as it was handed out, and the offset
// of that in the ring. There is one only where that output is followed, or with live, will be.
func (h *hub) seam(t Target, live bool) (*seam, int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	mine := h.text.container == named(t.ContainerID)
	current := mine && h.current()
	if current {
		h.text.lines(now)
	}
	switch {
	case mine && (live || current):
		return seamOf(&h.text.composer, now, current), h.ring.end
	case !live:
		return nil, -1
	}
	var c composer
	if open := h.output.cur != nil && h.output.cur.isOpen(); !open {
		// What it prints from now on, if it does, comes from its beginning or from the log.
		h.text.flush(now)
		h.text.begin(t, now, true)
		return seamOf(&h.text.composer, now, false), h.ring.end
	}
	c.begin(t, now, true)
	return seamOf(&c, now, false), h.ring.end
}
