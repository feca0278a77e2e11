package replay

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
	"lightd/observed/streams"
)

const (
	// maxAttempts bounds how often the log is read until it meets the live output: for about
	// three seconds.
	maxAttempts = 16
	// maxWiden bounds how far back the log is read for its last lines, in doublings.
	maxWiden = 6
	// FirstRead is the first pause before the log is read again.
	FirstRead = 25 * time.Millisecond
	// MaxLines bounds how many of the last lines are read.
	MaxLines = 5000
	// maxTail bounds their size, in bytes.
	maxTail = 4 << 20
)

// The notices of gaps.
const (
	NoticeTorn      = "Output is missing here: Docker's log no longer holds all that was printed since %s"
	NoticeRotated   = "Output may be missing before %s: Docker's log no longer holds all that was printed%s"
	NoticeMoved     = "Output is missing here: the container was made anew, and what it printed before is gone"
	NoticeLost      = "Output may be missing or repeated here: Docker's log does not hold the last known lines"
	NoticeLivePoint = "Output may be missing or repeated here: Docker's log does not meet the live output"
	NoticeNoLog     = "Output may be missing here: Docker's log cannot be read"
	NoticeDamaged   = "Output may be missing here: Docker's log is damaged"
)

// ErrLivePoint: a log and the live output do not meet.
var ErrLivePoint = errors.New("log does not meet the live output")

// LivePoint is where the live output of a container begins, of which the log has both sides.
type LivePoint struct {
	outs [streams.Outputs]cursorTracker
	// at is when the live point was made, and live tells that the output was followed then.
	at   time.Time
	live bool
}

// LivePointOf returns where the text of c is now; with live it is followed.
func LivePointOf(c *Composer, now time.Time, live bool) *LivePoint {
	s := &LivePoint{at: now, live: live}
	for i := range c.outs {
		s.outs[i] = c.outs[i].clone()
	}
	return s
}

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

	logReplay *logReplay
	attempts  int     // how often the log was read, this time included
	told      bool    // a gap at the beginning was told
	read      int64   // how much log was read in this read, in bytes of Docker's files
	last      []Entry // the last lines
	ends      int     // how many of them end a line
	size      int     // in bytes

	damagedEnd    bool // the log was damaged behind its last readable entry
	damageNoticed bool
}

// Run reads the log until it meets the live point, which may take several goes: what was sent to
// the stream comes into the log a little later, or earlier. On ErrLivePoint it has emitted all
// that is certain to lie before the live point.
func (p *Range) Run(ctx context.Context) error {
	p.logReplay = newLogReplay(p.From, p.emitEntry, p.lost)
	p.attempts = 1
	for backoff := streams.Backoff(FirstRead, 200*time.Millisecond); ; p.attempts++ {
		to := p.awaitLivePoint(ctx, backoff.Step())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p.Lines > 0 { // which are the last ones is another matter in each read
			p.logReplay, p.last, p.ends, p.size = newLogReplay(nil, p.keep, p.lost), nil, 0, 0
		}
		met, err := p.readOnce(ctx, to)
		over := p.attempts == maxAttempts
		switch {
		case err == nil && met:
			p.noticeTruncated()
			if p.damagedEnd && p.Lines == 0 {
				p.noticeDamage()
			}
			p.logReplay.rest()
			p.emitLast()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case over, Removed(err):
			p.emitLast()
			return cmp.Or(err, ErrLivePoint)
		}
	}
}

// emitLast hands out the last lines.
func (p *Range) emitLast() {
	for i, e := range p.last {
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

// awaitLivePoint makes a live point, and gives the log the time to reach it.
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

// recent reports whether the log may lack what came shortly before the live point.
func (s *LivePoint) recent() bool {
	return s != nil && slices.ContainsFunc(s.outs[:], func(o cursorTracker) bool {
		return s.at.Sub(later(o.began, o.at)) < settleTime
	})
}

// age is for how long outputs are followed of which nothing is known but that they were
// silent since.
func (s *LivePoint) age() time.Duration {
	age := settleTime
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

// readOnce goes through the log once.
func (p *Range) readOnce(ctx context.Context, to *LivePoint) (met bool, err error) {
	allowRetry := p.attempts <= maxAttempts/4
	p.logReplay.begin(to, allowRetry)
	if err := p.entries(ctx); err != nil {
		return false, err
	}
	if p.logReplay.missed() {
		p.logReplay.again()
		p.logReplay.begin(to, allowRetry)
		if err := p.entries(ctx); err != nil {
			return false, err
		}
	}
	return p.logReplay.end(allowRetry), nil
}

func (p *Range) entries(ctx context.Context) error {
	part := streams.Range{Since: p.logReplay.since, Timestamps: true}
	if p.Lines > 0 {
		// Behind the live point there may be more, in a flood much more, and what is before it
		// is needed to find it.
		part.Lines = p.Lines + window<<min(p.attempts-1, maxWiden)
	}
	p.read = 0
	log := LogReader{Target: p.Target, Source: p.Source, Hold: maxHeld}
	var err error
	p.damagedEnd, err = log.Read(ctx, part, func(e Entry) bool {
		p.read += filed(e.text)
		p.logReplay.feed(e)
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

// noticeTruncated reports that what was printed first may be gone. Behind a time there is no text by
// which that could be known, but how much of the log there is: as much as is kept at least,
// when some was thrown away. That is known at the end.
func (p *Range) noticeTruncated() {
	first := p.logReplay.first
	if p.told || p.Keeps == 0 || p.read < p.Keeps || p.Lines > 0 || first.IsZero() {
		return
	}
	since := ""
	if p.From != nil {
		if !first.After(p.From.last()) {
			return
		}
		since = " since " + p.From.last().UTC().Format(time.RFC3339)
	}
	p.told = true
	p.Notice(fmt.Sprintf(NoticeRotated, first.UTC().Format(time.RFC3339), since))
}

// Keeps returns how much of a log Docker keeps at least, in bytes, once it has thrown away
// some; 0 is all.
func Keeps(l observed.Log) int64 {
	size, err := units.FromHumanSize(l.MaxSize)
	files, also := strconv.Atoi(l.MaxFile)
	if err != nil || also != nil || size <= 0 || files < 2 {
		return 0
	}
	return int64(files-1) * size
}

// keep keeps the last lines.
func (p *Range) keep(e Entry) {
	e.text = bytes.Clone(e.text)
	p.last = append(p.last, e)
	p.size += len(e.text)
	if e.whole() {
		p.ends++
	}
	for p.ends > p.Lines || p.size > maxTail {
		if p.last[0].whole() {
			p.ends--
		}
		p.size -= len(p.last[0].text)
		p.last = p.last[1:]
	}
}

// lost tells that the position is not in the log.
func (p *Range) lost() {
	if p.told {
		return
	}
	p.told = true
	last, first := p.From.last(), p.logReplay.first
	if first.IsZero() || first.After(last) {
		p.Notice(fmt.Sprintf(NoticeTorn, last.UTC().Format(time.RFC3339)))
	} else {
		p.Notice(NoticeLost)
	}
}

// Removed reports whether a log could not be read because there is no such container any
// more, or because Docker is removing it, which it answers with a conflict. An observation
// tells of that a moment later.
func Removed(err error) bool {
	class := engine.Classify(err)
	return class == engine.NotFound || class == engine.Conflict
}
