package console

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"
)

// decoder turns a stream of bytes into valid UTF-8. Each byte that is part of no character
// becomes U+FFFD; a character that is split over reads is joined.
type decoder struct {
	carry [utf8.UTFMax]byte
	n     int
}

// append decodes p behind dst. Up to three bytes of an unfinished character are kept back.
func (d *decoder) append(dst, p []byte) []byte {
	for d.n > 0 {
		for !utf8.FullRune(d.carry[:d.n]) {
			if len(p) == 0 {
				return dst
			}
			d.carry[d.n] = p[0]
			d.n++
			p = p[1:]
		}
		dst = d.shift(dst)
	}
	whole := len(p)
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if at := len(p) - i; utf8.RuneStart(p[at]) {
			if !utf8.FullRune(p[at:]) {
				whole = at
			}
			break
		}
	}
	d.n = copy(d.carry[:], p[whole:])
	return appendValid(dst, p[:whole])
}

// flush ends the stream: what was kept back is no character.
func (d *decoder) flush(dst []byte) []byte {
	for d.n > 0 {
		dst = d.shift(dst)
	}
	return dst
}

func (d *decoder) shift(dst []byte) []byte {
	r, size := utf8.DecodeRune(d.carry[:d.n])
	d.n = copy(d.carry[:], d.carry[size:d.n])
	return utf8.AppendRune(dst, r)
}

func appendValid(dst, p []byte) []byte {
	if utf8.Valid(p) {
		return append(dst, p...)
	}
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		dst = utf8.AppendRune(dst, r)
		p = p[size:]
	}
	return dst
}

// sources is how many streams of a container Docker multiplexes: input, output and errors.
const sources = 3

// demux takes Docker's framing off. Of a terminal there is none.
type demux struct {
	raw    bool
	header [8]byte
	have   int
	remain uint32
}

// feed hands each piece of p to fn with the number of the stream it belongs to.
func (d *demux) feed(p []byte, fn func(source int, piece []byte)) error {
	if d.raw {
		fn(1, p)
		return nil
	}
	for len(p) > 0 {
		if d.remain == 0 {
			n := copy(d.header[d.have:], p)
			d.have += n
			p = p[n:]
			if d.have < len(d.header) {
				return nil
			}
			if d.header[0] >= sources {
				return fmt.Errorf("frame of stream %d is no output", d.header[0])
			}
			d.have = 0
			d.remain = binary.BigEndian.Uint32(d.header[4:])
			continue
		}
		n := min(len(p), int(d.remain))
		fn(int(d.header[0]), p[:n])
		d.remain -= uint32(n)
		p = p[n:]
	}
	return nil
}

const (
	// maxChunk bounds one piece of text, in bytes.
	maxChunk = 64 << 10
	// batchTime is how long text may be held back so that more goes with it.
	batchTime = 10 * time.Millisecond
)

// batcher gathers text into chunks. Complete lines leave at once after a pause, and
// otherwise every batchTime or maxChunk bytes; an open line waits one batchTime for its end.
// The owner locks; send is called with that lock held.
type batcher struct {
	send func(text string)
	// again is called after batchTime, by a timer of the batcher.
	again func()
	buf   []byte
	last  time.Time
	timer *time.Timer
	armed bool
}

// settle sends what is due after buf has grown.
func (b *batcher) settle(now time.Time) {
	for len(b.buf) >= maxChunk {
		b.cut(lineCut(b.buf[:maxChunk]), now)
	}
	if !b.armed && now.Sub(b.last) >= batchTime {
		b.cut(bytes.LastIndexByte(b.buf, '\n')+1, now)
	}
	b.arm()
}

// due is what again calls, under the owner's lock.
func (b *batcher) due(now time.Time) {
	b.armed = false
	if lines := bytes.LastIndexByte(b.buf, '\n') + 1; lines > 0 {
		b.cut(lines, now)
	} else {
		b.cut(len(b.buf), now)
	}
	b.arm()
}

// flush sends everything.
func (b *batcher) flush(now time.Time) {
	b.cut(len(b.buf), now)
	b.stop()
}

func (b *batcher) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
	b.armed = false
}

func (b *batcher) arm() {
	if b.armed || len(b.buf) == 0 {
		return
	}
	b.armed = true
	if b.timer == nil {
		b.timer = time.AfterFunc(batchTime, b.again)
	} else {
		b.timer.Reset(batchTime)
	}
}

func (b *batcher) cut(n int, now time.Time) {
	if n == 0 {
		return
	}
	text := string(b.buf[:n])
	b.buf = b.buf[:copy(b.buf, b.buf[n:])]
	b.last = now
	b.send(text)
}

// lineCut returns where to cut p, which is valid UTF-8 but for a character cut off at its
// end: behind its last line, or if it has none, behind its last whole character.
func lineCut(p []byte) int {
	if n := bytes.LastIndexByte(p, '\n') + 1; n > 0 {
		return n
	}
	for i := 1; i < utf8.UTFMax && i < len(p); i++ {
		if at := len(p) - i; utf8.RuneStart(p[at]) {
			if !utf8.FullRune(p[at:]) {
				return at
			}
			break
		}
	}
	return len(p)
}
