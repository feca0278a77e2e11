package console

import (
	"context"
	"errors"
	"time"

	"lightd/observed"
	"lightd/observed/replay"
	"lightd/observed/streams"
)

// gap returns the part of the log behind a position of what h hands out.
func (h *hub) gap(ctx context.Context, t streams.Target, from *replay.Position) replay.Range {
	var kept int64
	if c := streams.Find(h.c.cfg.Targets.Get(h.id), t.ContainerID); c != nil {
		kept = replay.Keeps(c.Log)
	}
	return replay.Range{
		Source: h.c.cfg.Source, Target: t, Keeps: kept, From: from,
		Emit: func(e replay.Entry) {
			h.mu.Lock()
			h.text.AddEntry(e)
			h.text.settle(time.Now())
			h.mu.Unlock()
			h.pace(ctx)
		},
		Notice: func(text string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.sendNoticeLocked(text)
		},
	}
}

// fillGap emits what was printed before a stream was opened, and then what the stream has read
// meanwhile.
func (h *hub) fillGap(ctx context.Context, p *outputReader, from replay.Position) {
	defer p.abort()
	gap := h.gap(ctx, p.s.Target, &from)
	gap.LivePoint = func() *replay.LivePoint {
		h.mu.Lock()
		defer h.mu.Unlock()
		return p.replayBuffer.livePoint(time.Now())
	}
	err := gap.Run(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	replayBuffer := p.replayBuffer
	p.replayBuffer, h.replaying = nil, false
	defer close(replayBuffer.done)
	get := replayBuffer.get
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		h.gapUnfilledLocked(p.s.Target, err)
		h.text.Begin(p.s.Target, replayBuffer.Began(), false)
		get = 0
	}
	if err == nil {
		h.text.flush()
		h.text.Interrupted(&gap)
	}
	replayBuffer.Each(get, h.text.Add)
	h.text.settle(time.Now())
}

// gapUnfilledLocked reports that a gap could not be filled, unless all of the container goes just now.
func (h *hub) gapUnfilledLocked(t streams.Target, err error) {
	switch {
	case replay.Removed(err):
		return
	case errors.Is(err, replay.ErrLivePoint):
		h.sendNoticeLocked(replay.NoticeLivePoint)
		return
	}
	h.c.cfg.Log.Warn("cannot read log for what a stream has missed", "container", h.id, "docker_id", t.ContainerID, "error", err)
	h.sendNoticeLocked(replay.NoticeNoLog)
}

// closeTime bounds the reading of the rest of a run.
const closeTime = 10 * time.Second

// finishRunLocked reads the rest of a run that ended after its stream, or too soon after that was
// opened.
func (h *hub) finishRunLocked(s observed.Snapshot) {
	e := h.ended
	if e == nil || !s.Known || h.output.Current() != nil {
		return
	}
	c := streams.Find(s, e.ContainerID)
	if c.Running() {
		return // the stream will be opened again
	}
	h.ended = nil
	if c == nil || !h.hasSubscribersLocked() || h.text.Container != replay.ContainerKey(e.ContainerID) || !e.silent && !e.at.Before(c.FinishedAt) {
		return
	}
	from, done := h.text.Position(time.Now()), make(chan struct{})
	h.closing = done
	if !h.c.group.Go(func() { h.close(e.Target, from, done) }) {
		h.closing = nil
	}
}

func (h *hub) close(t streams.Target, from replay.Position, done chan struct{}) {
	ctx, cancel := context.WithTimeout(h.c.group.Context(), closeTime)
	defer cancel()
	gap := h.gap(ctx, t, &from)
	streams.Sleep(ctx, replay.FirstRead)
	err := gap.Run(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil && h.c.group.Context().Err() == nil {
		h.gapUnfilledLocked(t, err)
	}
	h.text.flush()
	h.closing = nil
	close(done)
}
