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

// outputReader hands what one stream reads to those who need it.
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
	get  int // so much of it lies before the last seam
	done chan struct{}
}

// livePoint returns where the stream is now.
func (d *replayBuffer) livePoint(now time.Time) *replay.LivePoint {
	d.Each(d.get, d.Observe)
	d.get = len(d.Buf)
	return replay.LivePointOf(&d.Composer, now, true)
}

// openReader takes up the text of a stream that was just opened.
func (h *hub) openReader(s *streams.Stream, asked time.Time) *outputReader {
	h.awaitOthers(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = nil
	p := &outputReader{h: h, s: s, name: replay.ContainerKey(s.ContainerID), demux: streams.Demuxer{Raw: s.TTY}}
	h.text.flush(time.Now())
	h.startRecord()
	if s.BeforeStart {
		h.text.Begin(s.Target, asked, true)
	} else if from, missed := h.missed(s, asked); missed {
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
	h.reportFollowing()
	return p
}

// awaitOthers waits until nothing else hands out text of the container of s.
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

// openedLate is how long after a subscription a stream may be opened without a look for
// what was printed meanwhile.
const openedLate = 2 * time.Second

// missed returns from where on output was missed that somebody waits for, and makes that
// the place of the text.
func (h *hub) missed(s *streams.Stream, asked time.Time) (replay.Position, bool) {
	if !h.hasSubscribers() {
		return replay.Position{}, false
	}
	if h.text.Container == replay.ContainerKey(s.ContainerID) {
		return h.text.Position(asked), true
	}
	c := streams.Find(h.c.cfg.Targets.Get(h.id), s.ContainerID)
	switch {
	case c != nil && c.StartedAt.After(h.recorded):
		h.text.Begin(s.Target, replay.BeginOf(c.StartedAt, c.FinishedAt), true)
	case asked.Sub(h.recorded) > openedLate:
		h.text.Begin(s.Target, h.recorded, false)
	default:
		return replay.Position{}, false
	}
	return h.text.Position(asked), true
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
	return err
}

// write takes up a piece of text.
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

// end hands out what was kept back.
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
	h.text.flush(now)
	if h.text.Container == p.name {
		silent := h.text.Broken(now)
		h.ended = &ending{p.s.Target, now, silent || replayBuffer != nil}
	}
}

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

// broadcast hands text to all who listen.
func (h *hub) broadcast(text string) {
	if h.ring.id == 0 {
		return
	}
	h.ring.end += int64(len(text))
	h.fanOut(Chunk{Text: text})
}

// sendNotice hands a notice to all who listen.
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

// switchToLive gives s some chunks, of which bytes are lost before them, and then what comes. The
// caller has the hub's lock.
func (s *Subscription) switchToLive(chunks []Chunk, lost int64) {
	s.mu.Lock()
	s.lost += lost
	s.mu.Unlock()
	for _, c := range chunks {
		s.push(c)
	}
	s.live = true
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
