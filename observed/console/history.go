package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"lightd/observed"
	"lightd/observed/replay"
	"lightd/observed/streams"
)

const (
	// knownTime bounds the wait until it is known which containers there are.
	knownTime = 10 * time.Second
	// openedTime bounds the wait for the output stream of a process that runs.
	openedTime = 5 * time.Second
)

// History calls fn with what lies behind a position, or the last lines, up to the present: all
// that a subscriber got before the call is there. It ends with the first error of fn,
// which it returns. A gap becomes a Notice.
func (c *Console) History(ctx context.Context, id string, from From, fn func(Chunk) error) error {
	h := c.hub(id)
	defer c.release(h)
	if from.isNow() {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(c.group.Context(), cancel)
	defer stop()
	var failed error
	deliver := func(chunk Chunk) bool {
		if failed == nil {
			failed = fn(chunk)
		}
		if failed != nil {
			cancel()
		}
		return failed == nil
	}
	err := h.replayHistory(ctx, from, deliver)
	if err := cmp.Or(failed, err, ctx.Err()); err != nil {
		return fmt.Errorf("read output of %q: %w", id, err)
	}
	return nil
}

// replayHistory delivers what from requests, up to the present.
func (h *hub) replayHistory(ctx context.Context, from From, deliver func(Chunk) bool) error {
	h.mu.Lock()
	chunks, ok := []Chunk(nil), !from.Stamps && h.currentLocked() // the ring has no times
	if ok {
		chunks, ok = h.fromRingLocked(from)
	}
	h.mu.Unlock()
	if ok {
		for _, c := range chunks {
			if !deliver(c) {
				break
			}
		}
		return nil
	}
	w := writerTo(deliver)
	w.Stamps = from.Stamps
	_, err := h.replayLog(ctx, from, w, false)
	if errors.Is(err, replay.ErrLivePoint) {
		w.Notice(replay.NoticeLivePoint)
		err = nil
	}
	if replay.Removed(err) {
		err = fmt.Errorf("%w: %w", ErrNoContainer, err)
	}
	w.Flush()
	return err
}

// endHistory reports how the history ended.
func (h *hub) endHistory(w *replay.Writer, err error) {
	switch {
	case errors.Is(err, replay.ErrLivePoint):
		w.Notice(replay.NoticeLivePoint)
	case errors.Is(err, ErrNoContainer):
	case err != nil:
		h.c.cfg.Log.Warn("cannot read log for a subscriber", "container", h.id, "error", err)
		w.Notice(replay.NoticeNoLog)
	}
	w.Flush()
}

// replayLog writes what from asks for, and returns the offset in the ring from where
// on the rest is, or -1 when nothing of it is there. It ends where that begins or, unless
// live, where the log ends if nothing is followed.
func (h *hub) replayLog(ctx context.Context, from From, w *replay.Writer, live bool) (offset int64, err error) {
	s, err := h.awaitKnown(ctx, live)
	if err != nil {
		return -1, err
	}
	segments, moved := replay.SegmentsOf(s, from.Since, from.Lines)
	if len(segments) == 0 {
		return -1, ErrNoContainer
	}
	if moved {
		w.Notice(replay.NoticeMoved)
	}
	offset = -1
	for i, l := range segments {
		w.Turn(l.ContainerID, l.From)
		p := replay.Range{Source: h.c.cfg.Source, Target: l.Target, Keeps: l.Keeps, From: l.From, Lines: l.Lines, Emit: w.Add, Notice: w.Notice}
		if i == len(segments)-1 {
			p.LivePoint = func() (to *replay.LivePoint) {
				to, offset = h.livePoint(l.Target, live)
				return to
			}
		}
		if err := p.Run(ctx); err != nil {
			return offset, err
		}
		if live && i == len(segments)-1 {
			h.learn(l.Target, &p)
		}
	}
	return offset, nil
}

// awaitKnown returns the observation once it is one, and with live once what runs is
// followed.
func (h *hub) awaitKnown(ctx context.Context, live bool) (observed.Snapshot, error) {
	begun := time.Now()
	for backoff := streams.Backoff(2*time.Millisecond, 100*time.Millisecond); ; {
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
		streams.Sleep(ctx, backoff.Step())
	}
}

// errUnseen: the containers have not been observed yet.
var errUnseen = errors.New("engine is out of sight")

// follows reports whether what runs is followed.
func (h *hub) follows(s observed.Snapshot) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	want, up := h.wantedLocked(s)
	return !up || h.output.Current() != nil && h.output.Current().Target == want.Target && h.output.Current().IsOpen()
}

// learn adds the text that the log has before that which is followed.
func (h *hub) learn(t streams.Target, r *replay.Range) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.text.Container == replay.ContainerKey(t.ContainerID) {
		h.text.Learn(r)
	}
}

// currentLocked reports whether the text in memory is all that was printed up to now.
func (h *hub) currentLocked() bool {
	cur := h.output.Current()
	return cur != nil && cur.IsOpen() && !h.replaying && h.text.Container == replay.ContainerKey(cur.ContainerID)
}

// livePoint returns the end of the output of a container that was emitted, and its offset in the ring. There is one only where that output is followed, or with live, will be.
func (h *hub) livePoint(t streams.Target, live bool) (*replay.LivePoint, int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	mine := h.text.Container == replay.ContainerKey(t.ContainerID)
	current := mine && h.currentLocked()
	if current {
		h.text.flushLines()
	}
	switch {
	case mine && (live || current):
		return replay.LivePointOf(&h.text.Composer, now, current), h.ring.end
	case !live:
		return nil, -1
	}
	var c replay.Composer
	if open := h.output.Current() != nil && h.output.Current().IsOpen(); !open {
		// What it prints from now on, if it does, comes from its beginning or from the log.
		h.text.flush()
		h.text.Begin(t, now, true)
		return replay.LivePointOf(&h.text.Composer, now, false), h.ring.end
	}
	c.Begin(t, now, true)
	return replay.LivePointOf(&c, now, false), h.ring.end
}

// writerTo returns a writer that passes its chunks and notices to deliver.
func writerTo(deliver func(Chunk) bool) *replay.Writer {
	return &replay.Writer{Hand: func(text, notice string, p replay.Position) {
		deliver(Chunk{Text: text, Notice: notice, Position: p.String()})
	}}
}

// fromRingLocked returns what from requests, up to the present, if the ring has it.
func (h *hub) fromRingLocked(from From) (chunks []Chunk, ok bool) {
	h.text.flushLines()
	if !from.Since.IsZero() {
		return h.ring.since(from.Since)
	}
	c := replay.TailOf(h.c.cfg.Targets.Get(h.id))
	if c == nil {
		return nil, false
	}
	return h.ring.lines(min(from.Lines, replay.MaxLines), replay.ContainerKey(c.ContainerID))
}
