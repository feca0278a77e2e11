package console

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/docker/go-units"

	"lightd/observed"
	"lightd/observed/engine"
)

const (
	// maxGoes bounds how often the log is read until it meets the live output: for about
	// three seconds.
	maxGoes = 16
	// maxWiden bounds how far back the log is read for its last lines, in doublings.
	maxWiden = 6
	// closeTime bounds the reading of the rest of a run.
	closeTime = 10 * time.Second
	// firstRead is the first pause before the log is read again.
	firstRead = 25 * time.Millisecond
	// knownTime bounds the wait for the engine to tell which containers there are.
	knownTime = 10 * time.Second
	// openedTime bounds the wait for the output stream of a process that runs.
	openedTime = 5 * time.Second
)

// The gaps that are told.
const (
	noticeTorn    = "Output is missing here: Docker's log no longer holds all that was printed since %s"
	noticeRotated = "Output may be missing before %s: Docker's log no longer holds all that was printed%s"
	noticeMoved   = "Output is missing here: the container was made anew, and what it printed before is gone"
	noticeLost    = "Output may be missing or repeated here: Docker's log does not hold the last known lines"
	noticeSeam    = "Output may be missing or repeated here: Docker's log does not meet the live output"
	noticeNoLog   = "Output may be missing here: Docker's log cannot be read"
	noticeDamaged = "Output may be missing here: Docker's log is damaged"
)

// errSeam: a log and the live output do not meet.
var errSeam = errors.New("log does not meet the live output")

// seam is where the live output of a container begins, of which the log has both sides.
type seam struct {
	outs [outputs]tracker
	// at is when the seam was made, and live tells that the output was followed then.
	at   time.Time
	live bool
}

func seamOf(c *composer, now time.Time, live bool) *seam {
	s := &seam{at: now, live: live}
	for i := range c.outs {
		s.outs[i] = c.outs[i].clone()
	}
	return s
}

// passage is the part of a container's log between a position and a seam.
type passage struct {
	c *Console
	Target
	keeps int64     // how much log is kept at least, once some was thrown away; 0: all
	from  *Position // nil: the beginning, or the last lines
	lines int
	// seam makes a seam of what is live now. Without one, all of the log is asked for.
	seam   func() *seam
	emit   func(entry)
	notice func(string)

	splice *splice
	goes   int     // how often the log was read, this time included
	told   bool    // a gap at the beginning was told
	read   int64   // how much log was read in this go, in bytes of Docker's files
	last   []entry // the last lines
	ends   int     // how many of them end a line
	size   int     // in bytes

	damagedEnd    bool // the log was damaged behind its last readable entry
	damageNoticed bool
}

// run reads the log until it meets the seam, which may take several goes: what was sent to
// the stream comes into the log a little later, or earlier. On errSeam it has emitted all
// that is certain to lie before the seam.
func (p *passage) run(ctx context.Context) error {
	p.splice = newSplice(p.from, p.emitEntry, p.lost)
	p.goes = 1
	for backoff := backoffFrom(firstRead, 200*time.Millisecond); ; p.goes++ {
		to := p.awaitSeam(ctx, backoff.Step())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p.lines > 0 { // which are the last ones is another matter in each go
			p.splice, p.last, p.ends, p.size = newSplice(nil, p.keep, p.lost), nil, 0, 0
		}
		met, err := p.goThrough(ctx, to)
		over := p.goes == maxGoes
		switch {
		case err == nil && met:
			p.tellTorn()
			if p.damagedEnd && p.lines == 0 {
				p.noticeDamage()
			}
			p.splice.rest()
			p.tellLast()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case over, removed(err):
			p.tellLast()
			return cmp.Or(err, errSeam)
		}
	}
}

// tellLast hands out the last lines.
func (p *passage) tellLast() {
	for i, e := range p.last {
		e.damaged = e.damaged && i > 0 // nothing is shown of what is before the damage
		p.emitEntry(e)
	}
	if p.lines > 0 && p.damagedEnd {
		p.noticeDamage()
	}
}

// emitEntry emits an entry, behind a notice where the log is damaged before it. A position
// behind the damage needs none.
func (p *passage) emitEntry(e entry) {
	if e.damaged && (p.from == nil || p.from.last().Before(e.at)) {
		p.noticeDamage()
	}
	p.emit(e)
}

// noticeDamage emits the notice of a damaged log once.
func (p *passage) noticeDamage() {
	if !p.damageNoticed {
		p.damageNoticed = true
		p.notice(noticeDamaged)
	}
}

// awaitSeam makes a seam, and gives the log the time to reach it.
func (p *passage) awaitSeam(ctx context.Context, pause time.Duration) *seam {
	if p.seam == nil {
		return nil
	}
	to := p.seam()
	if young := settling - to.age(); young > 0 {
		sleep(ctx, young)
		to = p.seam()
	}
	if p.goes > 1 || to.recent() {
		sleep(ctx, pause)
	}
	return to
}

// recent reports whether the log may lack what came shortly before the seam.
func (s *seam) recent() bool {
	return s != nil && slices.ContainsFunc(s.outs[:], func(o tracker) bool {
		return s.at.Sub(later(o.began, o.at)) < settling
	})
}

// age is for how long outputs are followed of which nothing is known but that they were
// silent since.
func (s *seam) age() time.Duration {
	age := settling
	if s == nil {
		return age
	}
	for i := range s.outs {
		if o := &s.outs[i]; !o.whole && len(o.tail) == 0 {
			age = min(age, s.at.Sub(o.began))
		}
	}
	return age
}

// goThrough goes through the log once.
func (p *passage) goThrough(ctx context.Context, to *seam) (met bool, err error) {
	patient := p.goes <= maxGoes/4
	p.splice.begin(to, patient)
	if err := p.entries(ctx); err != nil {
		return false, err
	}
	if p.splice.missed() {
		p.splice.again()
		p.splice.begin(to, patient)
		if err := p.entries(ctx); err != nil {
			return false, err
		}
	}
	return p.splice.end(patient), nil
}

func (p *passage) entries(ctx context.Context) error {
	part := Range{Since: p.splice.since, Timestamps: true}
	if p.lines > 0 {
		// Behind the seam there may be more, in a flood much more, and what is before it
		// is needed to find it.
		part.Lines = p.lines + window<<min(p.goes-1, maxWiden)
	}
	p.read = 0
	log := logReader{target: p.Target, source: p.c.cfg.Streams, hold: maxHeld}
	var err error
	p.damagedEnd, err = log.read(ctx, part, func(e entry) bool {
		p.read += filed(e.text)
		p.splice.feed(e)
		return true
	})
	return err
}

// filed is how many bytes an entry takes in Docker's json-file, no less: it escapes as
// encoding/json does, and control characters other than line breaks in six bytes.
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

// tellTorn tells that what was printed first may be gone. Behind a time there is no text by
// which that could be known, but how much of the log there is: as much as is kept at least,
// when some was thrown away. That is known at the end.
func (p *passage) tellTorn() {
	first := p.splice.first
	if p.told || p.keeps == 0 || p.read < p.keeps || p.lines > 0 || first.IsZero() {
		return
	}
	since := ""
	if p.from != nil {
		if !first.After(p.from.last()) {
			return
		}
		since = " since " + p.from.last().UTC().Format(time.RFC3339)
	}
	p.told = true
	p.notice(fmt.Sprintf(noticeRotated, first.UTC().Format(time.RFC3339), since))
}

// keeps returns how much of a log Docker keeps at least, in bytes, once it has thrown away
// some; 0 is all.
func keeps(l observed.Log) int64 {
	size, err := units.FromHumanSize(l.MaxSize)
	files, also := strconv.Atoi(l.MaxFile)
	if err != nil || also != nil || size <= 0 || files < 2 {
		return 0
	}
	return int64(files-1) * size
}

// keep keeps the last lines.
func (p *passage) keep(e entry) {
	e.text = bytes.Clone(e.text)
	p.last = append(p.last, e)
	p.size += len(e.text)
	if e.whole() {
		p.ends++
	}
	for p.ends > p.lines || p.size > maxTail {
		if p.last[0].whole() {
			p.ends--
		}
		p.size -= len(p.last[0].text)
		p.last = p.last[1:]
	}
}

// lost tells that the position is not in the log.
func (p *passage) lost() {
	if p.told {
		return
	}
	p.told = true
	last, first := p.from.last(), p.splice.first
	if first.IsZero() || first.After(last) {
		p.notice(fmt.Sprintf(noticeTorn, last.UTC().Format(time.RFC3339)))
	} else {
		p.notice(noticeLost)
	}
}

// gap returns the passage behind a position of what h hands out.
func (h *hub) gap(ctx context.Context, t Target, from *Position) passage {
	var kept int64
	if c := find(h.c.cfg.Targets.Get(h.id), t.ContainerID); c != nil {
		kept = keeps(c.Log)
	}
	return passage{
		c: h.c, Target: t, keeps: kept, from: from,
		emit: func(e entry) {
			h.mu.Lock()
			h.text.add(e.out, e.text, e.at)
			h.text.settle(time.Now())
			h.mu.Unlock()
			h.pace(ctx)
		},
		notice: func(text string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.tell(text)
		},
	}
}

// mend reads what a stream has missed before it was opened, and then lets go of what it
// has read meanwhile.
func (h *hub) mend(ctx context.Context, p *pump, from Position) {
	defer p.abort()
	gap := h.gap(ctx, p.s.Target, &from)
	gap.seam = func() *seam {
		h.mu.Lock()
		defer h.mu.Unlock()
		return p.hold.seam(time.Now())
	}
	err := gap.run(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	hold := p.hold
	p.hold, h.holds = nil, false
	defer close(hold.done)
	known := hold.known
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		h.unmended(p.s.Target, err)
		h.text.begin(p.s.Target, hold.outs[0].began, false)
		known = 0
	}
	if err == nil {
		h.text.flush(time.Now())
		for i := range gap.splice.strands {
			if o := gap.splice.strands[i].to; !o.whole && len(o.tail) == 0 {
				h.text.outs[i].interrupted(o)
			}
		}
	}
	hold.each(known, h.text.add)
	h.text.settle(time.Now())
}

// unmended tells that a gap could not be filled, unless all of the container goes just now.
func (h *hub) unmended(t Target, err error) {
	switch {
	case removed(err):
		return
	case errors.Is(err, errSeam):
		h.tell(noticeSeam)
		return
	}
	h.c.cfg.Log.Warn("cannot read log for what a stream has missed", "id", h.id, "container", t.ContainerID, "error", err)
	h.tell(noticeNoLog)
}

// removed reports whether a log could not be read because there is no such container any
// more, or because Docker is removing it, which it answers with a conflict. An observation
// tells of that a moment later.
func removed(err error) bool {
	class := engine.Classify(err)
	return class == engine.NotFound || class == engine.Conflict
}

// ending is how a stream came to its end.
type ending struct {
	Target
	at time.Time
	// silent tells that an output had printed nothing since the stream was opened.
	silent bool
}

// closeRun reads the rest of a run that ended after its stream, or too soon after that was
// opened.
func (h *hub) closeRun(s observed.Snapshot) {
	e := h.ended
	if e == nil || !s.Known || h.output.cur != nil {
		return
	}
	c := find(s, e.ContainerID)
	if c.Running() {
		return // the stream will be opened again
	}
	h.ended = nil
	if c == nil || !h.heard() || h.text.container != named(e.ContainerID) || !e.silent && !e.at.Before(c.FinishedAt) {
		return
	}
	from, done := h.text.position(time.Now()), make(chan struct{})
	h.closing = done
	if !h.c.goes(func() { h.close(e.Target, from, done) }) {
		h.closing = nil
	}
}

func (h *hub) close(t Target, from Position, done chan struct{}) {
	ctx, cancel := context.WithTimeout(h.c.ctx, closeTime)
	defer cancel()
	gap := h.gap(ctx, t, &from)
	sleep(ctx, firstRead)
	err := gap.run(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil && h.c.ctx.Err() == nil {
		h.unmended(t, err)
	}
	h.text.flush(time.Now())
	h.closing = nil
	close(done)
}
