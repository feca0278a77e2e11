package replay

import (
	"time"

	"lightd/observed/streams"
)

// Composer puts the text of a container's outputs together, and knows the place of each
// behind what was cut off.
type Composer struct {
	// Container is the key of the container that the text is of.
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

// Untracked is the output of text that comes too late to be found again.
const Untracked = -1

// Begin says that what comes next is of a container, followed from a time on, which with
// whole is before the beginning of a run. A terminal's second output is silent anyway.
func (c *Composer) Begin(t streams.Target, since time.Time, whole bool) {
	c.Container = ContainerKey(t.ContainerID)
	for i := range c.outs {
		c.outs[i].reset(since, whole || t.TTY && i > 0)
	}
}

// Broken says that the text is not followed any more, and reports whether an output was
// silent until then. Of that the rest is what the log has since a moment before.
func (c *Composer) Broken(now time.Time) (silent bool) {
	for i := range c.outs {
		if o := &c.outs[i]; !o.whole && len(o.tail) == 0 {
			o.began, o.whole = later(o.began, now.Add(-settleTime)), true
			silent = true
		}
	}
	return silent
}

// Note says that Buf has grown by n bytes of an output.
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

// Each hands out the text from an offset on, output by output.
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

// Position is behind what was taken. An output that was silent has told all that is older
// than a moment.
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

// Observe takes note of text of an output that stays in Buf.
func (c *Composer) Observe(out int, text []byte, at time.Time) { c.outs[out].add(text, at) }

// AddEntry appends an entry of the log.
func (c *Composer) AddEntry(e Entry) { c.Add(e.out, e.text, e.at) }

// Interrupted marks the lines that were open when r was filled in before the text was followed:
// some of them may be missing.
func (c *Composer) Interrupted(r *Range) {
	for i := range r.logReplay.outs {
		if o := r.logReplay.outs[i].to; !o.whole && len(o.tail) == 0 {
			c.outs[i].interrupted(o)
		}
	}
}

// Began returns since when the text is followed.
func (c *Composer) Began() time.Time { return c.outs[0].began }

// Learn takes note of what the log and a position have of the text before that which is followed.
func (c *Composer) Learn(r *Range) {
	for i := range r.logReplay.outs {
		st, t := &r.logReplay.outs[i], &c.outs[i]
		if !t.began.Equal(st.to.began) {
			continue
		}
		if st.isOlder() {
			t.prependOpen(st.skip)
		}
		if st.match.found && !t.whole && len(st.to.tail) > 0 {
			t.prepend(st.before, r.logReplay.since)
		}
	}
}
