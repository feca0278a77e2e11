package replay

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"lightd/observed/streams"
)

const (
	// window is how much text before a place names it in the log, in bytes.
	window = 1 << 10
	// openWindow is how much text names a place within a line, in bytes.
	openWindow = 64
	// maxOpen bounds what is kept of a line that has not ended.
	maxOpen = 16 << 10
)

// ErrPosition: a text is no position.
var ErrPosition = errors.New("not a position of console output")

// streamCursor is where one output of a container stands: behind its last whole line, and so many
// bytes of the next one.
type streamCursor struct {
	// at is when that line came, by our clock, or by the log's if it was read there. When
	// no line has come yet, it is when the output began to be followed.
	at time.Time
	// back is no later than when the text came that sum is of. It tells from where on the
	// log is to be read to find it.
	back time.Time
	// sum is of the width bytes of text up to the end of that line. They make it known in
	// the log, of which no byte count is known: its older part is gone.
	width int
	sum   uint64
	// sure is how much of that text is known to be as it is in the log, and sureSum is of it;
	// before, of a line, something may be missing that was printed to nobody.
	sure    int
	sureSum uint64
	// open is how much of the next line lies before the place, or less where some of it was
	// printed to nobody. It grew last at a time, and openSum is of its last openWidth bytes.
	open      int
	grew      time.Time
	openWidth int
	openSum   uint64
}

// openEnd returns where in text the open line of p ends: after n bytes, as far as is known.
// Lead is what comes before text in the same line.
func (p streamCursor) openEnd(lead, text []byte, n int) int {
	if p.openWidth == 0 {
		return n
	}
	line := append(bytes.Clone(lead), text...)
	for at := n; at <= len(text); at++ {
		if p.isOpenAt(line, len(lead)+at) {
			return at
		}
	}
	for at := n - 1; at >= 0; at-- {
		if p.isOpenAt(line, len(lead)+at) {
			return at
		}
	}
	return n
}

// isOpenAt reports whether the open line of p may end after n bytes of line.
func (p streamCursor) isOpenAt(line []byte, n int) bool {
	return p.openWidth > 0 && n >= p.openWidth && n <= len(line) && xxhash.Sum64(line[n-p.openWidth:n]) == p.openSum
}

// Position is a point in the output of a container. What lies behind it can be told again,
// by another daemon too. The zero Position is none.
type Position struct {
	container uint64
	// Ring and Offset name the point in what a hub keeps in memory.
	Ring   uint64
	Offset int64
	outs   [streams.Outputs]streamCursor
}

// At returns the position of whatever container there is at a time.
func At(t time.Time) Position {
	var p Position
	for i := range p.outs {
		p.outs[i].at = t
	}
	return p
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return p.outs[0].at.IsZero() }

// last is the time of the newest that lies before p.
func (p Position) last() time.Time {
	t := p.outs[0].at
	for _, o := range p.outs[1:] {
		t = later(t, o.at)
	}
	return t
}

// ContainerKey is how a position names a container.
func ContainerKey(containerID string) uint64 { return xxhash.Sum64String(containerID) }

// positionVersion is the first byte of a position.
const positionVersion = 2

// String writes p for ParsePosition, in characters that a URL may hold.
func (p Position) String() string {
	b := make([]byte, 0, 80)
	b = append(b, positionVersion)
	b = binary.LittleEndian.AppendUint64(b, p.container)
	b = binary.LittleEndian.AppendUint64(b, p.Ring)
	b = binary.AppendUvarint(b, uint64(p.Offset))
	var before int64
	for _, o := range p.outs {
		at := o.at.UnixNano()
		b = binary.AppendVarint(b, at-before)
		before = at
		b = binary.AppendUvarint(b, uint64(o.width))
		if o.width > 0 {
			b = binary.AppendVarint(b, at-later(time.Unix(0, 0), o.back).UnixNano())
			b = binary.LittleEndian.AppendUint64(b, o.sum)
			if b = binary.AppendUvarint(b, uint64(o.sure)); o.sure < o.width {
				b = binary.LittleEndian.AppendUint64(b, o.sureSum)
			}
		}
		if b = binary.AppendUvarint(b, uint64(o.open)); o.open > 0 {
			b = binary.AppendVarint(b, o.grew.UnixNano()-at)
			if b = binary.AppendUvarint(b, uint64(o.openWidth)); o.openWidth > 0 {
				b = binary.LittleEndian.AppendUint64(b, o.openSum)
			}
		}
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParsePosition reads what String wrote. Its error is ErrPosition.
func ParsePosition(text string) (Position, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != positionVersion {
		return Position{}, ErrPosition
	}
	r := fields{b: b[1:]}
	p := Position{container: r.fixed(), Ring: r.fixed(), Offset: r.count(1 << 62)}
	var at int64
	for i := range p.outs {
		o := &p.outs[i]
		at += r.signed()
		o.at = time.Unix(0, at)
		if o.width = int(r.count(window)); o.width > 0 {
			o.back = time.Unix(0, at-r.signed())
			o.sum = r.fixed()
			if o.sure = int(r.count(uint64(o.width))); o.sure < o.width {
				o.sureSum = r.fixed()
			}
		}
		if o.open = int(r.count(1 << 40)); o.open > 0 {
			o.grew = time.Unix(0, at+r.signed())
			if o.openWidth = int(r.count(openWindow)); o.openWidth > 0 {
				o.openSum = r.fixed()
			}
		}
	}
	if r.wrong || len(r.b) > 0 || p.IsZero() {
		return Position{}, ErrPosition
	}
	return p, nil
}

// fields takes numbers off b, until one is wrong.
type fields struct {
	b     []byte
	wrong bool
}

func (f *fields) fixed() uint64 {
	if len(f.b) < 8 {
		f.wrong = true
		return 0
	}
	v := binary.LittleEndian.Uint64(f.b)
	f.b = f.b[8:]
	return v
}

func (f *fields) count(limit uint64) int64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 || v > limit {
		f.wrong = true
		return 0
	}
	f.b = f.b[n:]
	return int64(v)
}

func (f *fields) signed() int64 {
	v, n := binary.Varint(f.b)
	if n <= 0 {
		f.wrong = true
		return 0
	}
	f.b = f.b[n:]
	return v
}

// cursorTracker follows the text of one output, and knows its place.
type cursorTracker struct {
	// began is when the text began to be followed; whole tells that it was the beginning
	// of a run: nothing of it went by unseen.
	began time.Time
	whole bool

	// base, if there is one, is the place before all text.
	base streamCursor

	at     time.Time // of the last line end
	tail   []byte    // the end of the text up to there
	open   []byte    // the end of the line after it
	opened int       // its length
	front  int       // so much of it came before began
	grew   time.Time // when it was opened or grew
	// blind is where in the text something may be missing, by total; what is older than the
	// tail is forgotten.
	blind []int64
	// learned tells that tail has text from before began.
	learned bool
	// total counts the text; far and near are times when it was so much. The text at far is
	// before all of the tail.
	total     int64
	far, near checkpoint
}

// checkpoint is a time when so much text had come.
type checkpoint struct {
	at    time.Time
	total int64
}

// reset begins anew.
func (t *cursorTracker) reset(began time.Time, whole bool) {
	start := checkpoint{at: began}
	*t = cursorTracker{began: began, whole: whole, tail: t.tail[:0], open: t.open[:0], blind: t.blind[:0], far: start, near: start}
}

// add says that text came at a time.
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

// interrupted says that the text was not followed until o was: of the line that was open then,
// some may be missing.
func (t *cursorTracker) interrupted(o *cursorTracker) {
	t.whole = false
	t.blind = slices.DeleteFunc(t.blind, func(at int64) bool { return t.ended()-at > window })
	t.blind = append(t.blind, t.total-int64(o.opened))
}

// ended is how much text there was when the last line ended.
func (t *cursorTracker) ended() int64 { return t.total - int64(t.opened-t.front) }

// sure is how much of the end of the tail is without doubt.
func (t *cursorTracker) sure() int {
	n := int64(len(t.tail))
	for _, at := range t.blind {
		if at < t.ended() {
			n = min(n, t.ended()-at)
		}
	}
	return int(n)
}

// sureOpen is how much of the end of the open line is without doubt.
func (t *cursorTracker) sureOpen() int {
	n := int64(len(t.open))
	for _, at := range t.blind {
		if at >= t.ended() {
			n = min(n, t.total-at)
		}
	}
	return int(n)
}

// end adds lines, of which the last has its end.
func (t *cursorTracker) end(lines []byte) {
	if len(lines) < window {
		t.tail = keepEnd(t.tail, t.open, window)
	}
	t.tail = keepEnd(t.tail, lines, window)
	t.open, t.opened, t.front = t.open[:0], 0, 0
}

// prependOpen says how much of the first line came before the text was followed.
func (t *cursorTracker) prependOpen(front int) {
	if len(t.tail) == 0 && front > t.front {
		t.opened += front - t.front
		t.front = front
	}
}

// prepend says which text came before all that is known, since a time: a place is the
// better known the more of it there is.
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
		p = streamCursor{at: t.at, back: t.far.at, width: len(t.tail), sum: xxhash.Sum64(t.tail), sure: t.sure()}
		if p.sure < p.width {
			p.sureSum = xxhash.Sum64(t.tail[p.width-p.sure:])
		}
	case !t.base.at.IsZero():
		p = t.base
	}
	p.open += t.opened
	if n := min(t.sureOpen(), openWindow); n > 0 {
		p.grew, p.openWidth, p.openSum = t.grew, n, xxhash.Sum64(t.open[len(t.open)-n:])
	}
	return p
}

// cutOff is how much of the open line is not kept.
func (t *cursorTracker) cutOff() int { return t.opened - len(t.open) }

// isAt reports whether the last line of t is the one before p.
func (t *cursorTracker) isAt(p streamCursor) bool {
	return p.width > 0 && len(t.tail) >= p.width && xxhash.Sum64(t.tail[len(t.tail)-p.width:]) == p.sum
}

// clone returns a copy that shares nothing.
func (t *cursorTracker) clone() cursorTracker {
	c := *t
	c.tail, c.open, c.blind = bytes.Clone(t.tail), bytes.Clone(t.open), slices.Clone(t.blind)
	return c
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
