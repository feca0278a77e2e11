package replay

import (
	"bytes"
	"time"

	"lightd/observed/streams"
)

// clip hands out of a log what lies between the start and the end that a search found.
type clip struct {
	outs [streams.Outputs]outputClip
	emit func(Entry)
}

// outputClip is one output of a clip.
type outputClip struct {
	start, end, at logPoint
	begun, over    bool // at has passed start, end

	from streamCursor
	skip int    // so much of the next line lies before from, by its count
	lead []byte // the end of that

	to *cursorTracker
	// missing is how much of the line that is open at to is not kept there. With inLog it follows
	// in the log, which has the parts of a long line.
	missing int
	inLog   bool
}

func newClip(s *search, emit func(Entry)) *clip {
	c := &clip{emit: emit}
	for i := range s.outs {
		found, o := &s.outs[i], &c.outs[i]
		o.start, o.end = found.startPoint(), found.endPoint()
		o.from, o.to = found.from, found.to
		if !found.byText() || found.start.found {
			o.skip = o.from.open
		}
		if o.to != nil {
			o.missing, o.inLog = o.to.cutOff(), found.end.found
		}
	}
	return c
}

// feed emits an entry of the log if it lies between start and end.
func (c *clip) feed(e Entry) {
	o := &c.outs[e.out]
	o.at.advance(e)
	begun, over := o.begun || o.start.before(o.at), o.over || o.end.before(o.at)
	o.begun, o.over = begun || o.at.equal(o.start), over || o.at.equal(o.end)
	if over && o.inLog && o.missing > 0 {
		e.text = e.text[:min(o.missing, len(e.text))]
		o.missing -= len(e.text)
		over = false
	}
	if begun && !over {
		c.emitBehindOpen(o, e)
	}
}

// emitBehindOpen emits an entry without what lies before from of the line that is open there.
func (c *clip) emitBehindOpen(o *outputClip, e Entry) {
	if o.skip > 0 {
		e.text = o.skipOpen(e.text)
	}
	if len(e.text) > 0 {
		c.emit(e)
	}
}

// skipOpen returns what lies behind from of text of the line that is open there.
func (o *outputClip) skipOpen(text []byte) []byte {
	line := bytes.TrimSuffix(text, []byte{'\n'})
	n := min(o.skip, len(line))
	if o.skip -= n; o.skip == 0 {
		return text[o.from.openEnd(o.lead, line, n):]
	}
	if len(line) < len(text) { // it was shorter
		n = o.from.openEnd(o.lead, line, n)
		o.skip, o.lead = 0, nil
		return text[n:]
	}
	o.lead = keepEnd(o.lead, line, openWindow)
	return nil
}

// openLines emits the lines that are open at the live point, as far as they lie behind from.
func (c *clip) openLines() {
	for out := range c.outs {
		o := &c.outs[out]
		if o.to == nil {
			continue
		}
		open := o.to.open
		skip := min(max(o.skip-o.missing, 0), len(open))
		if o.isOlder() {
			// What is open at to may come from the log, and then from the line's beginning.
			if skip = o.skip; !o.from.isOpenAt(open, skip) {
				skip = 0
			}
		} else if o.skip > 0 {
			skip = o.from.openEnd(nil, open, skip)
		}
		if skip < len(open) {
			c.emit(Entry{out: out, at: time.Now(), text: open[skip:]})
		}
	}
}

// isOlder reports whether all that from has of an open line came before to was followed.
func (o *outputClip) isOlder() bool {
	return o.skip > 0 && o.to != nil && o.from.grew.Before(o.to.began)
}
