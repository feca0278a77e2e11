package replay

import (
	"bytes"
	"time"

	"lightd/observed/streams"
)

const (
	// slack is how far the clock of a place and the time in the log may lie apart.
	slack = 2 * time.Second
	// settleTime is how long after its printing a line may take to both the stream and the
	// log: what is older, and is not there, never comes.
	settleTime = 100 * time.Millisecond
	// maxHeld bounds what a replay keeps while it is not decided on which side it belongs.
	maxHeld = 4 << 20
)

// logReplay picks out of a container's log what lies behind one position and before a live point,
// output by output: Docker keeps no order between the two. It is given the log from about
// the position on, in one or several reads, each one between begin and end.
//
// A line is known again by the text before it, and where that text is there several times,
// by the time. Until it is known on which side of the live point lines belong they are held back.
type logReplay struct {
	outs [streams.Outputs]streamReplay
	emit func(Entry)
	// lost is called before the first text is told of an output whose place was not found.
	lost func()
	// since is from when on the log is to be read, and first the time of the first entry
	// that was read in this read.
	since, first time.Time
}

// streamReplay is one output of a replay.
type streamReplay struct {
	from    streamCursor
	after   time.Time // what is older lies before from
	seeking bool      // from was not found yet
	best    candidate // where it may be
	skip    int       // so much of the next line lies before from, by its count
	lead    []byte    // the end of that

	to        *cursorTracker // nil: the end of the log
	ends      []byte         // its last lines, as far as they are to be known by
	bound     time.Time      // what is older lies before to, for want of better knowledge
	quiet     time.Time      // nothing came between to and then; zero: it may have
	match     candidate      // where to may be
	ambiguous int            // how many more places look like it
	before    []byte         // the text before what is known at to
	closed    bool           // all that comes lies behind to
	open      bool           // some of what came may lie on either side
	told      bool           // something was told in this read

	log   cursorTracker // what was read in this read
	since int           // bytes of it that are no older than to's beginning
	past  logCursor     // what is decided
	known logCursor     // what was so before this read
	same  int           // entries at the time of known, in this read
	held  []Entry       // what is not decided
	size  int           // in bytes
}

// logCursor is a point in a log: behind n entries at a time, and all before.
type logCursor struct {
	at time.Time
	n  int
}

func (m *logCursor) pass(e Entry) {
	if !e.at.Equal(m.at) {
		*m = logCursor{at: e.at}
	}
	m.n++
}

// candidate is a candidate for a place.
type candidate struct {
	found bool
	off   time.Duration // how far off in time
}

// better reports whether a candidate at such a distance is no worse than h.
func (h candidate) better(off time.Duration) bool { return !h.found || off <= h.off }

// newLogReplay begins behind from, or with the first entry that it is given where that is nil.
func newLogReplay(from *Position, emit func(Entry), lost func()) *logReplay {
	s := &logReplay{emit: emit, lost: lost}
	if from == nil {
		return s
	}
	s.since = from.last().Add(-slack)
	recent := s.since
	for i := range s.outs {
		st := &s.outs[i]
		st.from, st.skip = from.outs[i], from.outs[i].open
		switch {
		case st.from.width == 0:
			st.after = st.from.at
		case st.from.at.Before(recent.Add(-slack)) && st.skip < part:
			// It was silent since, and the other was not. Of a longer line that is open the
			// parts would be older than that.
			st.after = recent
		default:
			st.seeking = true
			s.since = earlier(s.since, st.from.back.Add(-slack))
		}
	}
	if s.since.Unix() <= 0 {
		s.since = time.Time{}
	}
	return s
}

// begin begins a go through the log that ends at to; nil is the end of the log. Without patience
// it is known by that text only which is without doubt.
func (s *logReplay) begin(to *LivePoint, allowRetry bool) {
	s.first = time.Time{}
	for i := range s.outs {
		st := &s.outs[i]
		st.held, st.size, st.same = nil, 0, 0
		st.known = st.past
		st.log.reset(time.Time{}, false)
		st.open, st.closed, st.told, st.match, st.ambiguous = false, false, false, candidate{}, 0
		st.quiet, st.since = time.Time{}, 0
		if st.to = nil; to == nil {
			continue
		}
		st.to = &to.outs[i]
		if st.ends = st.to.tail; !allowRetry {
			st.ends = st.ends[len(st.ends)-st.to.sure():]
		}
		switch {
		case len(st.to.tail) > 0:
			st.closed = st.to.at.Before(s.since)
			if to.live && to.at.Sub(st.to.at) >= settleTime {
				st.quiet = to.at
			}
		case st.to.whole:
			st.bound = st.to.began
		default:
			st.bound = later(st.to.began, to.at.Add(-settleTime))
		}
	}
}

// feed adds an entry of the log, whose text the replay does not keep.
func (s *logReplay) feed(e Entry) {
	if s.first.IsZero() {
		s.first = e.at
	}
	st := &s.outs[e.out]
	st.log.add(e.text, e.at)
	if st.closed {
		return
	}
	e.match = s.isLast(st, e)
	switch {
	case st.decided(e.at):
		if e.match {
			st.meet(e)
		}
	case st.seeking:
		s.seek(st, e)
	default:
		s.pass(st, e)
	}
}

// decided reports whether an entry was dealt with in an earlier go.
func (st *streamReplay) decided(at time.Time) bool {
	if at.Equal(st.known.at) {
		st.same++
		return st.same <= st.known.n
	}
	return at.Before(st.known.at)
}

// isLast reports whether the log up to an entry ends as the output does at the live point.
func (s *logReplay) isLast(st *streamReplay, e Entry) bool {
	if st.to == nil || e.at.Before(st.to.began) {
		return false
	}
	st.since += len(e.text)
	if st.to.whole && len(st.to.tail) < window && !s.since.After(st.to.began) && st.since != len(st.to.tail) {
		return false // it is all that was printed
	}
	return e.whole() && len(st.ends) > 0 && bytes.HasSuffix(st.log.tail, st.ends)
}

// meet takes note of an entry that may be the last one before the live point, and reports whether
// it is the best so far: the last one of all, if nothing came after it for a while, else the
// nearest in time.
func (st *streamReplay) meet(e Entry) bool {
	off := apart(e.at, st.to.at)
	if !st.quiet.IsZero() {
		if e.at.After(st.quiet) {
			return false
		}
	} else if st.match.found {
		st.ambiguous++
		if !st.match.better(off) {
			return false
		}
	}
	st.match = candidate{true, off}
	st.before = append(st.before[:0], bytes.TrimSuffix(st.log.tail, st.ends)...)
	return true
}

// beyond reports whether an entry cannot be before the live point any more.
func (st *streamReplay) beyond(e Entry) bool {
	if !st.quiet.IsZero() {
		return e.at.After(st.quiet)
	}
	return e.at.Sub(st.to.at) > max(st.match.off, settleTime)
}

func apart(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

// seek looks for where to begin.
func (s *logReplay) seek(st *streamReplay, e Entry) {
	off := apart(e.at, st.from.at)
	if e.whole() && st.best.better(off) && st.log.isAt(st.from) {
		st.best = candidate{true, off}
		st.match, st.ambiguous = candidate{}, 0
		if e.match {
			st.meet(e)
		}
		for _, before := range st.drop() {
			st.past.pass(before)
		}
		st.past.pass(e)
		return
	}
	if !st.best.found && !e.at.After(st.from.at) {
		st.past.pass(e)
		return
	}
	st.hold(e)
	switch {
	case st.best.found && (e.at.Sub(st.from.at) > st.best.off || st.size > maxHeld):
		s.arrive(st)
	case st.size <= maxHeld:
	case s.since.IsZero():
		s.arrive(st)
	default:
		st.drop() // the log will be read from its beginning
	}
}

// arrive goes on behind from, or where that was not found, with what is later than it.
func (s *logReplay) arrive(st *streamReplay) {
	st.seeking = false
	if !st.best.found {
		st.skip = 0
		s.lost()
	}
	for _, e := range st.drop() {
		s.pass(st, e)
	}
}

func (st *streamReplay) hold(e Entry) {
	e.text = bytes.Clone(e.text)
	st.held = append(st.held, e)
	st.size += len(e.text)
}

// drop returns what was held back, and holds it no longer.
func (st *streamReplay) drop() []Entry {
	held := st.held
	st.held, st.size = nil, 0
	return held
}

// pass decides what becomes of an entry behind from.
func (s *logReplay) pass(st *streamReplay, e Entry) {
	switch {
	case st.closed:
	case e.at.Before(st.after):
		st.past.pass(e)
	case st.to == nil:
		s.tell(st, e)
	case len(st.to.tail) == 0:
		s.passUntil(st, e)
	default:
		s.passTo(st, e)
	}
}

// passUntil goes by the time alone: of this output nothing was heard yet.
func (s *logReplay) passUntil(st *streamReplay, e Entry) {
	if e.at.Before(st.bound) {
		s.tell(st, e)
		return
	}
	st.closed, st.open = true, !st.to.whole
}

// passTo goes by the text at the live point.
func (s *logReplay) passTo(st *streamReplay, e Entry) {
	switch {
	case e.match && st.meet(e):
		for _, before := range st.drop() {
			s.tell(st, before)
		}
		s.tell(st, e)
	case st.match.found && st.beyond(e) && st.size >= st.to.cutOff(), st.size > maxHeld:
		st.closed = true
	case st.match.found || e.at.After(st.to.at):
		st.hold(e)
	default:
		s.tell(st, e)
	}
}

func (s *logReplay) tell(st *streamReplay, e Entry) {
	st.past.pass(e)
	st.told = true
	if st.skip > 0 {
		e.text = st.skipOpen(e.text)
	}
	if len(e.text) > 0 {
		s.emit(e)
	}
}

// skipOpen returns what lies behind from of text of the line that is open there.
func (st *streamReplay) skipOpen(text []byte) []byte {
	line := bytes.TrimSuffix(text, []byte{'\n'})
	n := min(st.skip, len(line))
	if st.skip -= n; st.skip == 0 {
		return text[st.from.openEnd(st.lead, line, n):]
	}
	if len(line) < len(text) { // it was shorter
		n = st.from.openEnd(st.lead, line, n)
		st.skip, st.lead = 0, nil
		return text[n:]
	}
	st.lead = keepEnd(st.lead, line, openWindow)
	return nil
}

// missed reports whether the place of an output was not found, though it may be in an older
// part of the log, or known by less. The outputs of which that is true have told nothing yet.
func (s *logReplay) missed() bool {
	missed := false
	for i := range s.outs {
		if st := &s.outs[i]; st.seeking && !st.best.found {
			missed = missed || !s.since.IsZero() || st.from.sure < st.from.width
		}
	}
	return missed
}

// again begins anew where missed is true. The log is then read from its beginning, for the text
// that is without doubt.
func (s *logReplay) again() {
	s.since = time.Time{}
	for i := range s.outs {
		if st := &s.outs[i]; st.seeking && !st.best.found {
			from := st.from
			if from.sure < from.width {
				from.width, from.sum = from.sure, from.sureSum
			}
			*st = streamReplay{from: from, skip: st.skip, seeking: true}
		}
	}
}

// end ends a go with the end of the log, and reports whether all that lies before the live point
// was told. If not, the log is behind, or the live point cannot be found in it, or when patient
// not for sure; another go may tell.
func (s *logReplay) end(allowRetry bool) bool {
	settled, short := true, false
	for i := range s.outs {
		st := &s.outs[i]
		if st.seeking {
			s.arrive(st)
		}
		if st.to == nil || s.settled(st) && !(allowRetry && st.ambiguous > 0) {
			continue
		}
		settled = false
		short = short || len(st.log.tail) < len(st.ends)
	}
	if short { // to know the live point takes what is before it
		s.since = time.Time{}
	}
	return settled
}

func (s *logReplay) settled(st *streamReplay) bool {
	switch {
	case len(st.to.tail) == 0:
		return !st.open
	case st.match.found:
		return true
	default: // of an output that was silent for long, no line needs to be there
		return !st.told && !s.first.IsZero() && s.first.After(st.to.at.Add(-settleTime)) || st.to.at.Before(s.since)
	}
}

// rest tells the open lines at the live point, as far as they were not told before. Of one that is
// longer than what is kept of it, the log has the beginning.
func (s *logReplay) rest() {
	for out := range s.outs {
		st := &s.outs[out]
		if st.to == nil || st.seeking {
			continue
		}
		missing := st.to.cutOff()
		if st.match.found {
			for _, e := range st.drop() {
				e.text = e.text[:min(max(missing, 0), len(e.text))]
				if missing -= len(e.text); len(e.text) > 0 {
					s.tell(st, e)
				}
			}
		}
		skip := min(max(st.skip-max(missing, 0), 0), len(st.to.open))
		if st.isOlder() {
			// What is open at to may come from the log, and then from the line's beginning.
			if skip = st.skip; !st.from.isOpenAt(st.to.open, skip) {
				skip = 0
			}
		} else if st.skip > 0 {
			skip = st.from.openEnd(nil, st.to.open, skip)
		}
		if skip < len(st.to.open) {
			s.emit(Entry{out: out, at: time.Now(), text: st.to.open[skip:]})
		}
	}
}

// isOlder reports whether all that from has of an open line came before to was followed.
func (st *streamReplay) isOlder() bool { return st.skip > 0 && st.from.grew.Before(st.to.began) }
