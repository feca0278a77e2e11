package replay

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"

	"lightd/observed/streams"
)

const (
	// window is how much text before a cursor identifies it in the log, in bytes.
	window = 1 << 10
	// openWindow is how much text identifies a cursor within a line, in bytes.
	openWindow = 64
	// slack is how far our clock and the times in the log may differ.
	slack = 2 * time.Second
	// settleTime is how long after its printing a line may take to both the stream and the
	// log: what is older, and is not there, never comes.
	settleTime = 250 * time.Millisecond
	// maxOpen bounds what is kept of a line that has not ended.
	maxOpen = 16 << 10
)

// ErrPosition: a text is not a position.
var ErrPosition = errors.New("not a position of console output")

// streamCursor is the position in one output of a container: behind its last complete line, and so
// many bytes of the next one.
type streamCursor struct {
	// at is when that line was read, by our clock, or its time in the log if it was read there.
	// Without a line it is when following the output began.
	at time.Time
	// back is no later than the text of sum: where a read of the log has to begin to find it.
	back time.Time
	// sum is the hash of the width bytes of text up to the end of that line. They identify it in the
	// log, where no byte count does: rotation drops the older part.
	width int
	sum   uint64
	// open is how much of the next line lies before the cursor, or less where no stream was open for
	// some of it. Its last byte was read at grew, and openSum is the hash of its last openWidth bytes.
	open      int
	grew      time.Time
	openWidth int
	openSum   uint64
}

// openEnd returns where in text the open line of p ends: where its hash matches, else after n bytes.
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

// Position is a point in the output of a container, from which a later read continues, also of
// another daemon. The zero Position is none.
type Position struct {
	container uint64
	// Ring and Offset identify the point in the ring of a hub.
	Ring   uint64
	Offset int64
	outs   [streams.Outputs]streamCursor
}

// At returns the position at a time, in whatever container there is.
func At(t time.Time) Position {
	var p Position
	for i := range p.outs {
		p.outs[i].at = t
	}
	return p
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return p.outs[0].at.IsZero() }

// last returns the time of the newest line before p.
func (p Position) last() time.Time {
	t := p.outs[0].at
	for _, o := range p.outs[1:] {
		t = later(t, o.at)
	}
	return t
}

// silentSince returns the time before which all text of an output lies before p, for an output that
// has no text to search, or was silent. It is zero where the text is to be searched.
func (p Position) silentSince(out int) time.Time {
	o, recent := p.outs[out], p.last().Add(-slack)
	switch {
	case o.width == 0:
		return o.at
	case o.at.Before(recent.Add(-slack)) && o.open < part:
		// The other output was not silent. The parts of a longer open line would be older.
		return recent
	}
	return time.Time{}
}

// readSince returns from when on the log is to be read for what lies behind p.
func (p *Position) readSince() time.Time {
	if p == nil {
		return time.Time{}
	}
	since := p.last().Add(-slack)
	for i := range p.outs {
		if p.silentSince(i).IsZero() {
			since = earlier(since, p.outs[i].back.Add(-slack))
		}
	}
	if since.Unix() <= 0 {
		return time.Time{}
	}
	return since
}

// ContainerKey returns the name of a container in a position.
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
			b = binary.AppendUvarint(b, uint64(o.width))
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
			o.back = later(time.Unix(0, 0), time.Unix(0, at-r.signed())) // as String writes it
			o.sum = r.fixed()
			if sure := int(r.count(uint64(o.width))); sure < o.width {
				// Earlier releases wrote a second sum, of the text without a gap in it.
				if o.width, o.sum = sure, r.fixed(); sure == 0 {
					o.back, o.sum = time.Time{}, 0
				}
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

// fields decodes numbers from the front of b, until one is wrong.
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
