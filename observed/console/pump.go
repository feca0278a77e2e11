package console

import (
	"context"
	"io"
	"time"

	"lightd/observed/streams"
)

// maxHold bounds the live text that waits for what was missed before it, in bytes.
const maxHold = 1 << 20

// serveOutput reads one output stream to its end.
func (h *hub) serveOutput(s *stream) error {
	asked := time.Now()
	r, err := h.c.cfg.Streams.AttachOutput(s.ctx, s.ContainerID)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(s.ctx, func() { r.Close() })
	defer func() {
		if stop() {
			r.Close()
		}
	}()
	p := h.openPump(s, asked)
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if ferr := p.feed(buf[:n]); ferr != nil {
			err = ferr
		}
		if err != nil {
			p.end()
			if err == io.EOF || s.ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// pump hands what one stream reads to those who need it.
type pump struct {
	h       *hub
	s       *stream
	name    uint64 // of the container
	demux   streams.Demuxer
	decoder [outputs]decoder
	hold    *hold // under the hub's lock
	abort   context.CancelFunc
}

// hold is what a stream has read while the log is read for what came before it.
type hold struct {
	composer
	known int // so much of it lies before the last seam
	done  chan struct{}
}

// seam returns where the stream is now.
func (d *hold) seam(now time.Time) *seam {
	d.each(d.known, func(out int, text []byte, at time.Time) { d.outs[out].add(text, at) })
	d.known = len(d.buf)
	return seamOf(&d.composer, now, true)
}

// openPump takes up the text of a stream that was just opened.
func (h *hub) openPump(s *stream, asked time.Time) *pump {
	h.awaitOthers(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = nil
	p := &pump{h: h, s: s, name: named(s.ContainerID), demux: streams.Demuxer{Raw: s.TTY}}
	h.text.flush(time.Now())
	h.record()
	if s.whole {
		h.text.begin(s.Target, asked, true)
	} else if from, missed := h.missed(s, asked); missed {
		p.hold, h.holds = &hold{done: make(chan struct{})}, true
		p.hold.begin(s.Target, asked, false)
		var ctx context.Context
		ctx, p.abort = context.WithCancel(s.ctx)
		if !h.c.goes(func() { h.mend(ctx, p, from) }) {
			p.hold, h.holds = nil, false
		}
	} else {
		h.ring.begin()
		h.text.begin(s.Target, asked, false)
	}
	s.opened()
	h.catchUp()
	return p
}

// awaitOthers waits until nothing else hands out text of the container of s.
func (h *hub) awaitOthers(s *stream) {
	h.mu.Lock()
	closing, old := h.closing, h.draining
	h.mu.Unlock()
	if closing != nil {
		<-closing
	}
	if old != nil && old != s && old.Target == s.Target {
		old.cancel()
		<-old.done
	}
}

// openedLate is how long after a subscription a stream may be opened without a look for
// what was printed meanwhile.
const openedLate = 2 * time.Second

// missed returns from where on output was missed that somebody waits for, and makes that
// the place of the text.
func (h *hub) missed(s *stream, asked time.Time) (Position, bool) {
	if !h.heard() {
		return Position{}, false
	}
	if h.text.container == named(s.ContainerID) {
		return h.text.position(asked), true
	}
	c := find(h.c.cfg.Targets.Get(h.id), s.ContainerID)
	switch {
	case c != nil && c.StartedAt.After(h.recorded):
		h.text.begin(s.Target, beginOf(Run{StartedAt: c.StartedAt, Since: c.FinishedAt}), true)
	case asked.Sub(h.recorded) > openedLate:
		h.text.begin(s.Target, h.recorded, false)
	default:
		return Position{}, false
	}
	return h.text.position(asked), true
}

func (p *pump) feed(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	h := p.h
	h.mu.Lock()
	matched := false
	now := time.Now()
	err := p.demux.Feed(b, func(source int, piece []byte) {
		p.write(streams.OutputOf(source), piece, now)
		if h.output.cur == p.s && h.watch.feed(p.s.life, source, piece, now) {
			matched = true
		}
	})
	h.text.settle(now)
	if matched {
		h.matched()
	} else {
		h.watch.peek(now)
	}
	full := p.hold
	if full != nil && len(full.buf) < maxHold {
		full = nil
	}
	h.mu.Unlock()
	if matched {
		h.c.cfg.Changed(h.id)
	}
	if full != nil {
		select {
		case <-full.done:
		case <-p.s.ctx.Done():
		}
	}
	h.pace(p.s.ctx)
	return err
}

// write takes up a piece of text.
func (p *pump) write(out int, piece []byte, now time.Time) {
	to := &p.h.text.composer
	if p.hold != nil {
		to = &p.hold.composer
	}
	before := len(to.buf)
	to.buf = p.decoder[out].append(to.buf, piece)
	p.note(to, out, before, now)
}

func (p *pump) note(to *composer, out, before int, now time.Time) {
	if to.container != p.name {
		out = untracked // another container has taken over
	}
	to.note(out, len(to.buf)-before, now)
}

// end hands out what was kept back.
func (p *pump) end() {
	h := p.h
	h.mu.Lock()
	hold := p.hold
	h.mu.Unlock()
	if hold != nil { // what it has of an open line is nowhere else
		<-hold.done
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for i := range p.decoder {
		before := len(h.text.buf)
		h.text.buf = p.decoder[i].flush(h.text.buf)
		p.note(&h.text.composer, i, before, now)
	}
	h.text.flush(now)
	if h.text.container == p.name {
		silent := h.text.broken(now)
		h.ended = &ending{p.s.Target, now, silent || hold != nil}
	}
}

func (h *hub) batchDue() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.due(time.Now())
}

// record begins to keep text, unless that has begun.
func (h *hub) record() {
	if h.ring.id == 0 {
		h.ring.begin()
		h.recorded = time.Now()
	}
}

// endRecord keeps nothing any more.
func (h *hub) endRecord() {
	h.ring, h.recorded = ring{}, time.Time{}
	h.text.stop()
	h.text.composer = composer{}
}

// broadcast hands text to all who listen.
func (h *hub) broadcast(text string) {
	if h.ring.id == 0 {
		return
	}
	h.ring.end += int64(len(text))
	h.spread(Chunk{Text: text})
}

// tell hands a notice to all who listen.
func (h *hub) tell(notice string) {
	h.text.flush(time.Now())
	h.spread(Chunk{Notice: notice})
}

func (h *hub) spread(c Chunk) {
	p := h.text.position(time.Now())
	p.ring, p.offset = h.ring.id, h.ring.end
	c.Position, c.encoded = p.String(), new(encoding)
	h.ring.add(c, h.text.container)
	for s := range h.subs {
		if s.live {
			s.push(c)
		}
	}
}

// subscribe takes s in, and gives it what is in memory, if that is all that it asks for.
func (h *hub) subscribe(s *Subscription) (lingered bool) {
	lingered = h.stay()
	h.record()
	h.subs[s] = struct{}{}
	if s.from.isNow() {
		s.live = true
	} else if chunks, ok := h.recall(s.from); ok {
		s.goLive(chunks, 0)
	}
	h.settle()
	return lingered
}

// recall returns what from asks for, up to the present, if that is in memory.
func (h *hub) recall(from From) (chunks []Chunk, ok bool) {
	h.text.lines(time.Now())
	if !from.Since.IsZero() {
		return h.ring.since(from.Since)
	}
	c := toTail(h.c.cfg.Targets.Get(h.id))
	if c == nil {
		return nil, false
	}
	return h.ring.lines(min(from.Lines, maxLines), named(c.ContainerID))
}

// goLive gives s some chunks, of which bytes are lost before them, and then what comes. The
// caller has the hub's lock.
func (s *Subscription) goLive(chunks []Chunk, lost int64) {
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
	if len(h.subs) == 0 && h.output.cur != nil && h.c.ctx.Err() == nil {
		h.stayFor(lingerTime)
	}
	h.settle()
	return h.linger != nil && len(h.subs) == 0
}

// stayFor makes the hub linger, with a use of its own.
func (h *hub) stayFor(d time.Duration) { h.linger = time.AfterFunc(d, h.lingerDue) }

// stay ends the lingering, and reports whether there is a use of the hub to be released.
func (h *hub) stay() bool {
	if h.linger == nil {
		return false
	}
	h.linger.Stop()
	h.linger = nil
	return true
}

func (h *hub) lingerDue() {
	h.mu.Lock()
	over := len(h.subs) == 0 && h.stay()
	if over {
		h.settle()
	}
	h.mu.Unlock()
	if over {
		h.c.release(h)
	}
}
