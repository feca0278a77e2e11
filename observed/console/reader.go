package console

import (
	"context"
	"io"
	"time"

	"lightd/observed/replay"
	"lightd/observed/streams"
)

// maxHold bounds the live text that waits for what was missed before it, in bytes.
const maxHold = 1 << 20

// Serve implements streams.Handler: it reads one output stream to its end.
func (h *hub) Serve(s *streams.Stream) error {
	asked := time.Now()
	r, err := h.c.cfg.Source.AttachOutput(s.Context(), s.ContainerID)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(s.Context(), func() { r.Close() })
	defer func() {
		if stop() {
			r.Close()
		}
	}()
	p := h.openReader(s, asked)
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if ferr := p.feed(buf[:n]); ferr != nil {
			err = ferr
		}
		if err != nil {
			p.end()
			if err == io.EOF || s.Context().Err() != nil {
				return nil
			}
			return err
		}
	}
}

// outputReader passes on what one stream reads.
type outputReader struct {
	h            *hub
	s            *streams.Stream
	name         uint64 // of the container
	demux        streams.Demuxer
	decoder      [streams.Outputs]replay.Decoder
	replayBuffer *replayBuffer // under the hub's lock
	abort        context.CancelFunc
}

// replayBuffer is what a stream has read while the log is read for what came before it.
type replayBuffer struct {
	replay.Composer
	get  int // so much of it lies before the last live point
	done chan struct{}
}

// livePoint returns where the stream is now.
func (d *replayBuffer) livePoint(now time.Time) *replay.LivePoint {
	d.Each(d.get, d.Observe)
	d.get = len(d.Buf)
	return replay.LivePointOf(&d.Composer, now, true)
}

// openReader starts the text of a stream that was just opened.
func (h *hub) openReader(s *streams.Stream, asked time.Time) *outputReader {
	h.awaitOthers(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = nil
	p := &outputReader{h: h, s: s, name: replay.ContainerKey(s.ContainerID), demux: streams.Demuxer{Raw: s.TTY}}
	h.text.flush()
	h.startRecordLocked()
	if s.BeforeStart {
		h.text.Begin(s.Target, asked, true)
	} else if from, missed := h.missedLocked(s, asked); missed {
		p.replayBuffer, h.replaying = &replayBuffer{done: make(chan struct{})}, true
		p.replayBuffer.Begin(s.Target, asked, false)
		var ctx context.Context
		ctx, p.abort = context.WithCancel(s.Context())
		if !h.c.group.Go(func() { h.fillGap(ctx, p, from) }) {
			p.replayBuffer, h.replaying = nil, false
		}
	} else {
		h.ring.begin()
		h.text.Begin(s.Target, asked, false)
	}
	s.Opened()
	h.reportFollowingLocked()
	return p
}

// awaitOthers waits until nothing else emits text of the container of s.
func (h *hub) awaitOthers(s *streams.Stream) {
	h.mu.Lock()
	closing, old := h.closing, h.draining
	h.mu.Unlock()
	if closing != nil {
		<-closing
	}
	if old != nil && old != s && old.Target == s.Target {
		old.Cancel()
		<-old.Done()
	}
}

// openedLate is how long after a subscription a stream may be open without a look for what was printed
// meanwhile: shorter than a command needs that is sent at once, for its own connection and its answer.
const openedLate = 20 * time.Millisecond

// missedLocked returns the position from which on subscribers have missed output, and makes that the position
// of the text.
func (h *hub) missedLocked(s *streams.Stream, asked time.Time) (replay.Position, bool) {
	if !h.hasSubscribersLocked() {
		return replay.Position{}, false
	}
	if h.text.Container == replay.ContainerKey(s.ContainerID) {
		return h.text.Position(asked), true
	}
	c := streams.Find(h.c.cfg.Targets.Get(h.id), s.ContainerID)
	switch {
	case c != nil && c.StartedAt.After(h.recorded):
		h.text.Begin(s.Target, replay.BeginOf(c.StartedAt, c.FinishedAt), true)
		return h.text.Position(asked), true
	case time.Since(h.recorded) > openedLate: // asking may have taken long, and several attempts
		h.text.Begin(s.Target, h.recorded, false)
		return h.text.Position(h.recorded), true
	}
	return replay.Position{}, false
}

func (p *outputReader) feed(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	h := p.h
	h.mu.Lock()
	now := time.Now()
	err := p.demux.Feed(b, func(source int, piece []byte) {
		p.write(streams.OutputOf(source), piece, now)
		if h.output.Current() == p.s {
			h.c.cfg.Tap.Feed(h.id, p.s.Run, source, piece)
		}
	})
	h.text.settle(now)
	full := p.replayBuffer
	if full != nil && len(full.Buf) < maxHold {
		full = nil
	}
	h.mu.Unlock()
	if full != nil {
		select {
		case <-full.done:
		case <-p.s.Context().Done():
		}
	}
	h.pace(p.s.Context())
	h.c.cfg.Tap.AwaitRoom(p.s.Context(), h.id)
	return err
}

// write adds a piece of text.
func (p *outputReader) write(out int, piece []byte, now time.Time) {
	to := &p.h.text.Composer
	if p.replayBuffer != nil {
		to = &p.replayBuffer.Composer
	}
	before := len(to.Buf)
	to.Buf = p.decoder[out].Append(to.Buf, piece)
	p.note(to, out, before, now)
}

func (p *outputReader) note(to *replay.Composer, out, before int, now time.Time) {
	if to.Container != p.name {
		out = replay.Untracked // another container has taken over
	}
	to.Note(out, len(to.Buf)-before, now)
}

// end emits what was kept back.
func (p *outputReader) end() {
	h := p.h
	h.mu.Lock()
	replayBuffer := p.replayBuffer
	h.mu.Unlock()
	if replayBuffer != nil { // what it has of an open line is nowhere else
		<-replayBuffer.done
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for i := range p.decoder {
		before := len(h.text.Buf)
		h.text.Buf = p.decoder[i].Flush(h.text.Buf)
		p.note(&h.text.Composer, i, before, now)
	}
	h.text.flush()
	if h.text.Container == p.name {
		silent := h.text.Broken(now)
		h.ended = &ending{p.s.Target, now, silent || replayBuffer != nil}
	}
}
