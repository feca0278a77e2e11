package replay

import (
	"bytes"
	"time"

	"github.com/cespare/xxhash/v2"
)

// cursorTracker follows the text of one output, and computes its cursor.
type cursorTracker struct {
	// began is when following the text began; whole is true when that was before the beginning of a
	// run, so that nothing of it was missed.
	began time.Time
	whole bool

	// base, if there is one, is the cursor before all text.
	base streamCursor

	at     time.Time // of the last line end
	tail   []byte    // the end of the text up to there
	open   []byte    // the end of the line after it
	opened int       // its length
	grew   time.Time // when it last grew
	// unsure is how much of the open line comes before a place where some of it may be missing.
	unsure int
	// learned is true when tail has text from before began.
	learned bool
	// total counts the text. The tail begins behind far; near is the next far.
	total     int64
	far, near checkpoint
}

// checkpoint is a time, and how much text there was then.
type checkpoint struct {
	at    time.Time
	total int64
}

// reset starts over without text.
func (t *cursorTracker) reset(began time.Time, whole bool) {
	start := checkpoint{at: began}
	*t = cursorTracker{began: began, whole: whole, tail: t.tail[:0], open: t.open[:0], far: start, near: start}
}

// add adds text that was read at a time.
func (t *cursorTracker) add(text []byte, at time.Time) {
	if t.total-t.near.total > window {
		t.far, t.near = t.near, checkpoint{t.at, t.total}
	}
	t.total += int64(len(text))
	end := bytes.LastIndexByte(text, '\n') + 1
	if end > 0 {
		t.end(text[:end])
		t.at = at
	}
	rest := text[end:]
	t.opened += len(rest)
	t.open = keepEnd(t.open, rest, maxOpen)
	t.grew = at
}

// interrupted notes that no stream was open before that which o tracks: some of the line that was open
// then may be missing.
func (t *cursorTracker) interrupted(o *cursorTracker) {
	t.whole = false
	t.unsure = t.opened - o.opened
}

// sureOpen returns the end of the open line in which nothing is missing.
func (t *cursorTracker) sureOpen() []byte {
	return t.open[max(0, len(t.open)-(t.opened-t.unsure)):]
}

// end adds lines, of which the last has its end. Before a line in which something may be missing the
// text is not as it is in the log.
func (t *cursorTracker) end(lines []byte) {
	if t.unsure > 0 {
		t.tail = t.tail[:0]
	}
	if len(lines) < window {
		t.tail = keepEnd(t.tail, t.sureOpen(), window)
	}
	t.tail = keepEnd(t.tail, lines, window)
	t.open, t.opened, t.unsure = t.open[:0], 0, 0
}

// prepend adds text from before all other text, which begins at a time: more text identifies the
// cursor better.
func (t *cursorTracker) prepend(text []byte, since time.Time) {
	if n := window - len(t.tail); n > 0 && len(text) > 0 && !t.learned {
		t.learned = true
		t.tail = append(bytes.Clone(text[max(0, len(text)-n):]), t.tail...)
		t.far.at = since
	}
}

// keepEnd appends p to b, of which it keeps the last limit bytes.
func keepEnd(b, p []byte, limit int) []byte {
	if len(p) >= limit {
		return append(b[:0], p[len(p)-limit:]...)
	}
	if over := len(b) + len(p) - limit; over > 0 {
		b = b[:copy(b, b[over:])]
	}
	return append(b, p...)
}

func (t *cursorTracker) streamCursor() streamCursor {
	p := streamCursor{at: t.began}
	switch {
	case len(t.tail) > 0:
		p = streamCursor{at: t.at, back: t.far.at, width: len(t.tail), sum: xxhash.Sum64(t.tail)}
	case !t.base.at.IsZero():
		p = t.base
	}
	p.open += t.opened
	if sure := t.sureOpen(); len(sure) > 0 {
		sure = sure[max(0, len(sure)-openWindow):]
		p.grew, p.openWidth, p.openSum = t.grew, len(sure), xxhash.Sum64(sure)
	}
	return p
}

// cutOff is how much of the open line is not kept.
func (t *cursorTracker) cutOff() int { return t.opened - len(t.open) }

// isAt reports whether the text up to the last line of t is the one before p.
func (t *cursorTracker) isAt(p streamCursor) bool {
	return p.width > 0 && len(t.tail) >= p.width && xxhash.Sum64(t.tail[len(t.tail)-p.width:]) == p.sum
}

// clone returns a copy that shares nothing.
func (t *cursorTracker) clone() cursorTracker {
	c := *t
	c.tail, c.open = bytes.Clone(t.tail), bytes.Clone(t.open)
	return c
}
