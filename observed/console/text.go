package console

import (
	"bytes"
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

const (
	// maxChunk bounds one piece of text, in bytes.
	maxChunk = 64 << 10
	// batchTime is how long text may be held back so that more goes with it.
	batchTime = 10 * time.Millisecond
)

// composer puts the text of a container's outputs together, and knows the place of each
// behind what was cut off.
type composer struct {
	container uint64
	buf       []byte
	parts     []stretch // of buf
	outs      [outputs]tracker
}

// stretch is a piece of text of one output.
type stretch struct {
	out, n int
	at     time.Time
}

// untracked is the output of text that comes too late to be found again.
const untracked = -1

// begin says that what comes next is of a container, followed from a time on, which with
// whole is before the beginning of a run. A terminal's second output is silent anyway.
func (c *composer) begin(t Target, since time.Time, whole bool) {
	c.container = named(t.ContainerID)
	for i := range c.outs {
		c.outs[i].reset(since, whole || t.TTY && i > 0)
	}
}

// broken says that the text is not followed any more, and reports whether an output was
// silent until then. Of that the rest is what the log has since a moment before.
func (c *composer) broken(now time.Time) (silent bool) {
	for i := range c.outs {
		if o := &c.outs[i]; !o.whole && len(o.tail) == 0 {
			o.began, o.whole = later(o.began, now.Add(-settling)), true
			silent = true
		}
	}
	return silent
}

// note says that buf has grown by n bytes of an output.
func (c *composer) note(out, n int, at time.Time) {
	if n == 0 {
		return
	}
	if last := len(c.parts) - 1; last >= 0 && c.parts[last].out == out && c.parts[last].at.Equal(at) {
		c.parts[last].n += n
		return
	}
	c.parts = append(c.parts, stretch{out, n, at})
}

// add appends text of an output.
func (c *composer) add(out int, text []byte, at time.Time) {
	c.buf = append(c.buf, text...)
	c.note(out, len(text), at)
}

// take returns the first n bytes of the text, which buf holds no longer.
func (c *composer) take(n int) string {
	text := string(c.buf[:n])
	done := 0
	for at := 0; at < n; {
		p := &c.parts[done]
		m := min(p.n, n-at)
		if p.out != untracked {
			c.outs[p.out].add(c.buf[at:at+m], p.at)
		}
		at += m
		if p.n -= m; p.n == 0 {
			done++
		}
	}
	c.parts = c.parts[:copy(c.parts, c.parts[done:])]
	c.buf = c.buf[:copy(c.buf, c.buf[n:])]
	return text
}

// each hands out the text from an offset on, output by output.
func (c *composer) each(from int, fn func(out int, text []byte, at time.Time)) {
	at := 0
	for _, p := range c.parts {
		if at+p.n > from {
			begin := max(at, from)
			fn(p.out, c.buf[begin:at+p.n], p.at)
		}
		at += p.n
	}
}

// position is behind what was taken. An output that was silent has told all that is older
// than a moment.
func (c *composer) position(now time.Time) Position {
	p := Position{container: c.container}
	for i := range c.outs {
		o := &c.outs[i]
		p.outs[i] = o.place()
		if !o.whole && p.outs[i].width == 0 {
			p.outs[i].at = later(p.outs[i].at, now.Add(-settling))
		}
	}
	return p
}

// batcher gathers text into chunks. Complete lines leave at once after a pause, and
// otherwise every batchTime or maxChunk bytes; an open line waits one batchTime for its end.
// The owner locks; send is called with that lock held.
type batcher struct {
	composer
	send func(text string)
	// again is called after batchTime, by a timer of the batcher.
	again func()
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
		b.lines(now)
	}
	b.arm()
}

// lines sends the lines that are complete.
func (b *batcher) lines(now time.Time) { b.cut(bytes.LastIndexByte(b.buf, '\n')+1, now) }

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
	b.last = now
	b.send(b.take(n))
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
