package replay

import (
	"time"

	"lightd/observed/streams"
)

// Composer joins the text of a container's outputs, and tracks the cursor of each behind the text that
// was taken.
type Composer struct {
	// Container is the key of the container that the text belongs to.
	Container uint64
	// Buf is the text that is not taken yet.
	Buf   []byte
	parts []chunkMeta // of Buf
	outs  [streams.Outputs]cursorTracker
}

// chunkMeta is a piece of text of one output.
type chunkMeta struct {
	out, n int
	at     time.Time
}

// Untracked is the output of text whose container is no longer followed: it moves no cursor.
const Untracked = -1

// Begin starts the text of a container, followed from a time on, which with whole is before the
// beginning of a run. A terminal's second output is always silent.
func (c *Composer) Begin(t streams.Target, since time.Time, whole bool) {
	c.Container = ContainerKey(t.ContainerID)
	for i := range c.outs {
		c.outs[i].reset(since, whole || t.TTY && i > 0)
	}
}

// Broken ends following the text, and reports whether an output was silent until then. Its rest is
// what the log has since shortly before.
func (c *Composer) Broken(now time.Time) (silent bool) {
	for i := range c.outs {
		if o := &c.outs[i]; !o.whole && len(o.tail) == 0 {
			o.began, o.whole = later(o.began, now.Add(-settleTime)), true
			silent = true
		}
	}
	return silent
}

// Note records that the last n bytes of Buf belong to an output.
func (c *Composer) Note(out, n int, at time.Time) {
	if n == 0 {
		return
	}
	if last := len(c.parts) - 1; last >= 0 && c.parts[last].out == out && c.parts[last].at.Equal(at) {
		c.parts[last].n += n
		return
	}
	c.parts = append(c.parts, chunkMeta{out, n, at})
}

// Add appends text of an output.
func (c *Composer) Add(out int, text []byte, at time.Time) {
	c.Buf = append(c.Buf, text...)
	c.Note(out, len(text), at)
}

// Take returns the first n bytes of the text, which Buf holds no longer.
func (c *Composer) Take(n int) string {
	text := string(c.Buf[:n])
	done := 0
	for at := 0; at < n; {
		p := &c.parts[done]
		m := min(p.n, n-at)
		if p.out != Untracked {
			c.outs[p.out].add(c.Buf[at:at+m], p.at)
		}
		at += m
		if p.n -= m; p.n == 0 {
			done++
		}
	}
	c.parts = c.parts[:copy(c.parts, c.parts[done:])]
	c.Buf = c.Buf[:copy(c.Buf, c.Buf[n:])]
	return text
}

// Each calls fn with the text from an offset on, piece by piece.
func (c *Composer) Each(from int, fn func(out int, text []byte, at time.Time)) {
	at := 0
	for _, p := range c.parts {
		if at+p.n > from {
			begin := max(at, from)
			fn(p.out, c.Buf[begin:at+p.n], p.at)
		}
		at += p.n
	}
}

// Position returns the position behind what was taken. For an output that was silent it is shortly
// before now.
func (c *Composer) Position(now time.Time) Position {
	p := Position{container: c.Container}
	for i := range c.outs {
		o := &c.outs[i]
		p.outs[i] = o.streamCursor()
		if !o.whole && p.outs[i].width == 0 {
			p.outs[i].at = later(p.outs[i].at, now.Add(-settleTime))
		}
	}
	return p
}

// Observe moves the cursor of an output over text that stays in Buf.
func (c *Composer) Observe(out int, text []byte, at time.Time) { c.outs[out].add(text, at) }

// AddEntry appends an entry of the log.
func (c *Composer) AddEntry(e Entry) { c.Add(e.out, e.text, e.at) }

// Began returns since when the text is followed.
func (c *Composer) Began() time.Time { return c.outs[0].began }
