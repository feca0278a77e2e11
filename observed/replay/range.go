package replay

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"time"

	"lightd/observed/streams"
)

const (
	// maxAttempts bounds how often the log is read until it has the live point: about three
	// seconds.
	maxAttempts = 16
	// maxWiden bounds how far back the log is read for its last lines, in doublings.
	maxWiden = 6
	// FirstRead is the first pause before the log is read again.
	FirstRead = 25 * time.Millisecond
	// maxTail bounds the size of the last lines, in bytes.
	maxTail = 4 << 20
	// maxSpool bounds what is held of a log until it is known what of it lies before the live
	// point, in bytes.
	maxSpool = 8 << 20
)

// Range is the part of a container's log between a position and a live point.
type Range struct {
	Source LogSource
	streams.Target
	Keeps int64     // how much log is kept at least, once some was thrown away; 0: all
	From  *Position // nil: the beginning, or the last lines
	Lines int
	// LivePoint returns where the live output begins now. Without it, all of the log is read.
	LivePoint func() *LivePoint
	Emit      func(Entry)
	Notice    func(string)

	since    time.Time // where the log is read from
	search   *search
	clip     *clip
	attempts int     // how often the log was read, this time included
	noticed  bool    // a gap at the beginning was reported
	read     int64   // how much log was read in this read, in bytes of Docker's files
	held     []Entry // the latest entries of this read
	heldSize int     // in bytes
	dropped  bool    // there are older ones
	last     []Entry // what is to be emitted when only the last lines are

	damagedEnd    bool // the log was damaged behind its last readable entry
	damageNoticed bool
}

// Run reads the log until it meets the live point, which may take several attempts: what was sent to
// the stream comes into the log a little later, or earlier. Then it emits what lies before. On
// ErrLivePoint that is all that certainly does.
func (p *Range) Run(ctx context.Context) error {
	p.since, p.attempts = p.From.readSince(), 1
	for backoff := streams.Backoff(FirstRead, 200*time.Millisecond); ; p.attempts++ {
		to := p.awaitLivePoint(ctx, backoff.Step())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := p.find(ctx, to)
		allowRetry := p.attempts <= maxAttempts/4
		over := p.attempts == maxAttempts || Removed(err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && p.search.settled(allowRetry):
			return p.emitFound(ctx, true)
		case over:
			return cmp.Or(p.emitFound(ctx, false), err, ErrLivePoint)
		case err == nil && p.search.short():
			p.since = time.Time{}
		}
	}
}

// find reads the log for what lies before to: again, from its beginning, where From may be in an
// older part.
func (p *Range) find(ctx context.Context, to *LivePoint) error {
	for {
		p.search = newSearch(p.From, to, p.since)
		p.held, p.heldSize, p.dropped = nil, 0, false
		err := p.entries(ctx, func(e Entry) {
			p.search.feed(e)
			p.hold(e)
		})
		if err != nil || p.since.IsZero() || !p.search.lost() {
			return err
		}
		p.since = time.Time{}
	}
}

// hold keeps an entry, and drops the oldest ones where there are too many.
func (p *Range) hold(e Entry) {
	p.held = append(p.held, e.clone())
	for p.heldSize += len(e.text) + entryOverhead; p.heldSize > maxSpool; p.dropped = true {
		p.heldSize -= len(p.held[0].text) + entryOverhead
		p.held = p.held[1:]
	}
}

// emitFound emits what the last read has found, and the open lines where it met the live point.
func (p *Range) emitFound(ctx context.Context, met bool) error {
	emit := p.emitEntry
	if p.Lines > 0 {
		emit = p.keep
	}
	p.clip = newClip(p.search, emit)
	if p.search.lost() {
		p.lost()
	}
	if err := p.feedClip(ctx); err != nil {
		return err
	}
	if met {
		p.noticeTruncated()
		if p.damagedEnd && p.Lines == 0 {
			p.noticeDamage()
		}
		p.clip.openLines()
	}
	p.emitLast()
	return nil
}

// feedClip feeds the entries that are held. Where some were dropped, the log is read again.
func (p *Range) feedClip(ctx context.Context) error {
	if !p.dropped || p.Lines > 0 {
		for _, e := range p.held {
			p.clip.feed(e)
		}
		p.held = nil
		return nil
	}
	p.held = nil
	first := true
	return p.entries(ctx, func(e Entry) {
		if first && p.From != nil && e.at.After(later(p.search.first, p.From.last())) {
			p.search.first = e.at // the log was rotated meanwhile
			p.lost()
		}
		first = false
		p.clip.feed(e)
	})
}

// emitLast emits the last lines.
func (p *Range) emitLast() {
	for i, e := range p.lastLines() {
		e.damaged = e.damaged && i > 0 // nothing is shown of what is before the damage
		p.emitEntry(e)
	}
	if p.Lines > 0 && p.damagedEnd {
		p.noticeDamage()
	}
}

// emitEntry emits an entry, behind a notice where the log is damaged before it. A position
// behind the damage needs none.
func (p *Range) emitEntry(e Entry) {
	if e.damaged && (p.From == nil || p.From.last().Before(e.at)) {
		p.noticeDamage()
	}
	p.Emit(e)
}

// noticeDamage emits the notice of a damaged log once.
func (p *Range) noticeDamage() {
	if !p.damageNoticed {
		p.damageNoticed = true
		p.Notice(NoticeDamaged)
	}
}

// awaitLivePoint takes a live point, and pauses until the log can have it.
func (p *Range) awaitLivePoint(ctx context.Context, pause time.Duration) *LivePoint {
	if p.LivePoint == nil {
		return nil
	}
	to := p.LivePoint()
	if young := settleTime - to.age(); young > 0 {
		streams.Sleep(ctx, young)
		to = p.LivePoint()
	}
	if p.attempts > 1 || to.recent() {
		streams.Sleep(ctx, pause)
	}
	return to
}

// entries reads the log once.
func (p *Range) entries(ctx context.Context, feed func(Entry)) (err error) {
	part := streams.Range{Since: p.since, Timestamps: true}
	if p.Lines > 0 {
		// Behind the live point there may be more, in a flood much more, and what is before it
		// is needed to find it.
		part.Lines = p.Lines + window<<min(p.attempts-1, maxWiden)
	}
	p.read = 0
	log := LogReader{Target: p.Target, Source: p.Source, Hold: maxHeld}
	p.damagedEnd, err = log.Read(ctx, part, func(e Entry) bool {
		p.read += filed(e.text)
		feed(e)
		return true
	})
	return err
}

// filed returns how many bytes an entry takes in Docker's json-file: it escapes as encoding/json does,
// and control characters other than line breaks in six bytes.
func filed(text []byte) int64 {
	n := int64(len(text)) + int64(len(`{"log":"","stream":"stdout","time":"2006-01-02T15:04:05.000000000Z"}`)) + 1
	for i, c := range text {
		switch {
		case c == '"', c == '\\', c == '\n', c == '\r':
			n++
		case c < ' ', c == '<', c == '>', c == '&':
			n += 5
		case c == 0xef && bytes.HasPrefix(text[i:], replacement), c == 0xe2 && i+2 < len(text) && text[i+1] == 0x80 && text[i+2]&^1 == 0xa8:
			n += 3
		}
	}
	return n
}

// replacement is what a byte becomes that is part of no character; Docker's log has it as \ufffd.
var replacement = []byte("\uFFFD")

// noticeTruncated emits a notice where rotation may have dropped the beginning. A time has no text to
// search, but a log from which rotation dropped something has at least a certain size.
func (p *Range) noticeTruncated() {
	first := p.search.first
	if p.noticed || p.Keeps == 0 || p.read < p.Keeps || p.Lines > 0 || first.IsZero() {
		return
	}
	since := ""
	if p.From != nil {
		if !first.After(p.From.last()) {
			return
		}
		since = " since " + p.From.last().UTC().Format(time.RFC3339)
	}
	p.noticed = true
	p.Notice(fmt.Sprintf(NoticeRotated, first.UTC().Format(time.RFC3339), since))
}

// keep adds an entry to the last lines.
func (p *Range) keep(e Entry) { p.last = append(p.last, e.clone()) }

// lastLines returns the end of the entries that were kept: as many lines as were requested, unless they are
// too large.
func (p *Range) lastLines() []Entry {
	lines, size := 0, 0
	for i := len(p.last) - 1; i >= 0; i-- {
		if p.last[i].whole() {
			lines++
		}
		size += len(p.last[i].text)
		if lines > p.Lines || size > maxTail {
			return p.last[i+1:]
		}
	}
	return p.last
}

// lost emits the notice of a position that is not in the log.
func (p *Range) lost() {
	if p.noticed {
		return
	}
	p.noticed = true
	last, first := p.From.last(), p.search.first
	if first.IsZero() || first.After(last) {
		p.Notice(fmt.Sprintf(NoticeTorn, last.UTC().Format(time.RFC3339)))
	} else {
		p.Notice(NoticeLost)
	}
}

// Interrupted marks the lines that were open before the gap that r filled: some of them may be missing.
func (c *Composer) Interrupted(r *Range) {
	for i := range r.clip.outs {
		if o := r.clip.outs[i].to; !o.whole && len(o.tail) == 0 {
			c.outs[i].interrupted(o)
		}
	}
}

// Learn adds the text that the log has before that which is followed, to identify the cursors by.
func (c *Composer) Learn(r *Range) {
	for i := range r.search.outs {
		found, t := &r.search.outs[i], &c.outs[i]
		if found.end.found && !t.whole && t.began.Equal(found.to.began) {
			t.prepend(found.before, r.search.since)
		}
	}
}
