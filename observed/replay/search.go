package replay

import (
	"bytes"
	"math"
	"time"

	"lightd/observed/streams"
)

// logPoint is a point in the entries of one output of a log: behind n entries of a time, and all
// older ones.
type logPoint struct {
	at time.Time
	n  int
}

// logEnd is behind all entries.
var logEnd = logPoint{at: time.Unix(1<<40, 0)}

// advance moves p behind the next entry.
func (p *logPoint) advance(e Entry) {
	if !e.at.Equal(p.at) {
		*p = logPoint{at: e.at}
	}
	p.n++
}

func (p logPoint) before(o logPoint) bool {
	return p.at.Before(o.at) || p.at.Equal(o.at) && p.n < o.n
}

func (p logPoint) equal(o logPoint) bool { return p.at.Equal(o.at) && p.n == o.n }

// search finds in one read of a container's log where the text between a position and a live point
// begins and ends, output by output: Docker keeps no order between the two. Each is found by the
// text before it, and of several places with that text the nearest in time counts.
type search struct {
	outs [streams.Outputs]outputSearch
	// since is where the read begins, and first the time of its first entry.
	since, first time.Time
}

// outputSearch is one output of a search.
type outputSearch struct {
	from  streamCursor
	after time.Time // from is there; zero: it is found by its text
	start match

	to        *cursorTracker // nil: the end of the log
	bound     time.Time      // to is there; zero: it is found by its text
	quiet     time.Time      // nothing was printed between to and then; zero: that is not certain
	end       match
	ambiguous bool   // several places have the text of to
	before    []byte // the text before that by which to was found

	log     cursorTracker // the entries so far
	sized   int           // bytes of them that are no older than the beginning of to
	at      logPoint      // behind the last one
	noLater logPoint      // behind the last one that is no later than to
}

// match is a place that has the text, and how far its time is off.
type match struct {
	found bool
	off   time.Duration
	at    logPoint
}

// offer makes a place the match if none is nearer.
func (m *match) offer(off time.Duration, at logPoint) bool {
	if m.found && off > m.off {
		return false
	}
	*m = match{true, off, at}
	return true
}

// newSearch begins a read from a time on for what lies between from, nil for the first entry, and
// to, nil for the last one.
func newSearch(from *Position, to *LivePoint, since time.Time) *search {
	s := &search{since: since}
	for i := range s.outs {
		o := &s.outs[i]
		if from != nil {
			o.from = from.outs[i]
			o.after = from.silentSince(i)
		}
		if to != nil {
			o.until(&to.outs[i], to)
		}
	}
	return s
}

func (o *outputSearch) until(t *cursorTracker, to *LivePoint) {
	o.to = t
	switch {
	case len(t.tail) > 0:
		if to.live && to.at.Sub(t.at) >= settleTime {
			o.quiet = to.at
		}
	case t.whole:
		o.bound = t.began
	default:
		o.bound = later(t.began, to.at.Add(-settleTime))
	}
}

// feed adds an entry of the log, whose text the search does not keep.
func (s *search) feed(e Entry) {
	if s.first.IsZero() {
		s.first = e.at
	}
	o := &s.outs[e.out]
	o.log.add(e.text, e.at)
	o.at.advance(e)
	if o.byText() && e.whole() && o.log.isAt(o.from) && o.start.offer(apart(e.at, o.from.at), o.at) {
		o.end, o.ambiguous = match{}, false // which does not come before the start
	}
	if o.to == nil {
		return
	}
	if !e.at.After(o.to.at) {
		o.noLater = o.at
	}
	if s.isEnd(o, e) {
		o.offerEnd(e)
	}
}

// byText reports whether the start is found by its text.
func (o *outputSearch) byText() bool { return o.from.width > 0 && o.after.IsZero() }

// isEnd reports whether the log up to an entry ends as the output does at the live point.
func (s *search) isEnd(o *outputSearch, e Entry) bool {
	t := o.to
	if e.at.Before(t.began) {
		return false
	}
	o.sized += len(e.text)
	switch {
	case len(t.tail) == 0, !e.whole(), t.at.Before(s.since):
		return false
	case t.whole && len(t.tail) < window && !s.since.After(t.began) && o.sized != len(t.tail):
		return false // the tail is all that was printed
	}
	return bytes.HasSuffix(o.log.tail, t.tail)
}

// offerEnd makes the place behind an entry the end: the last one that has the text, where nothing
// was printed after the live point for a while, else the nearest in time.
func (o *outputSearch) offerEnd(e Entry) {
	off := apart(e.at, o.to.at)
	if !o.quiet.IsZero() {
		if e.at.After(o.quiet) {
			return
		}
		off = 0
	} else if o.end.found {
		o.ambiguous = true
	}
	if o.end.offer(off, o.at) {
		o.before = append(o.before[:0], bytes.TrimSuffix(o.log.tail, o.to.tail)...)
	}
}

func apart(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

// lost reports whether the start of an output was not found.
func (s *search) lost() bool {
	for i := range s.outs {
		if o := &s.outs[i]; o.byText() && !o.start.found {
			return true
		}
	}
	return false
}

// settled reports whether the end was found. If not, the log is behind the live point, or lacks it;
// with allowRetry also if it may be at several places.
func (s *search) settled(allowRetry bool) bool {
	for i := range s.outs {
		if o := &s.outs[i]; o.to != nil && (!s.outputSettled(o) || allowRetry && o.ambiguous) {
			return false
		}
	}
	return true
}

func (s *search) outputSettled(o *outputSearch) bool {
	switch {
	case len(o.to.tail) == 0:
		return o.to.whole || o.at.at.Before(o.bound)
	case o.end.found, o.to.at.Before(s.since):
		return true
	default: // of an output that was silent for long, no line needs to be there
		return !o.startPoint().before(o.noLater) && !s.first.IsZero() && s.first.After(o.to.at.Add(-settleTime))
	}
}

// short reports whether the read began too late to find the end by its text.
func (s *search) short() bool {
	for i := range s.outs {
		if o := &s.outs[i]; o.to != nil && !s.outputSettled(o) && len(o.log.tail) < len(o.to.tail) {
			return true
		}
	}
	return false
}

func (o *outputSearch) startPoint() logPoint {
	switch {
	case o.start.found:
		return o.start.at
	case o.byText():
		return logPoint{o.from.at, math.MaxInt}
	}
	return logPoint{at: o.after}
}

func (o *outputSearch) endPoint() logPoint {
	switch {
	case o.to == nil:
		return logEnd
	case o.end.found:
		return o.end.at
	case len(o.to.tail) == 0:
		return logPoint{at: o.bound}
	}
	return logPoint{o.to.at, math.MaxInt}
}
