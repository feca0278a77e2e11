package console

import (
	"bytes"
	"time"
)

const (
	// slack is how far the clock of a place and the time in the log may lie apart.
	slack = 2 * time.Second
	// settling is how long after its printing a line may take to both the stream and the
	// log: what is older, and is not there, never comes.
	settling = 100 * time.Millisecond
	// maxHeld bounds what a splice keeps while it is not decided on which side it belongs.
	maxHeld = 4 << 20
)

// splice picks out of a container's log what lies behind one position and before a seam,
// output by output: Docker keeps no order between the two. It is given the log from about
// the position on, in one or several goes, each one between begin and end.
//
// A line is known again by the text before it, and where that text is there several times,
// by the time. Until it is known on which side of the seam lines belong they are held back.
type splice struct {
	strands [outputs]strand
	emit    func(entry)
	// lost is called before the first text is told of an output whose place was not found.
	lost func()
	// since is from when on the log is to be read, and first the time of the first entry
	// that was read in this go.
	since, first time.Time
}

// strand is one output of a splice.
type strand struct {
	from    place
	after   time.Time // what is older lies before from
	seeking bool      // from was not found yet
	nearest hit       // where it may be
	skip    int       // so much of the next line lies before from, by its count
	lead    []byte    // the end of that

	to     *tracker  // nil: the end of the log
	ends   []byte    // its last lines, as far as they are to be known by
	bound  time.Time // what is older lies before to, for want of better knowledge
	quiet  time.Time // nothing came between to and then; zero: it may have
	meets  hit       // where to may be
	rivals int       // how many more places look like it
	before []byte    // the text before what is known at to
	closed bool      // all that comes lies behind to
	open   bool      // some of what came may lie on either side
	told   bool      // something was told in this go

	log   tracker // what was read in this go
	since int     // bytes of it that are no older than to's beginning
	past  mark    // what is decided
	known mark    // what was so before this go
	same  int     // entries at the time of known, in this go
	held  []entry // what is not decided
	size  int     // in bytes
}

// mark is a point in a log: behind n entries at a time, and all before.
type mark struct {
	at time.Time
	n  int
}

func (m *mark) pass(e entry) {
	if !e.at.Equal(m.at) {
		*m = mark{at: e.at}
	}
	m.n++
}

// hit is a candidate for a place.
type hit struct {
	found bool
	off   time.Duration // how far off in time
}

// better reports whether a candidate at such a distance is no worse than h.
func (h hit) better(off time.Duration) bool { return !h.found || off <= h.off }

// newSplice begins behind from, or with the first entry that it is given where that is nil.
func newSplice(from *Position, emit func(entry), lost func()) *splice {
	s := &splice{emit: emit, lost: lost}
	if from == nil {
		return s
	}
	s.since = from.last().Add(-slack)
	recent := s.since
	for i := range s.strands {
		st := &s.strands[i]
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
func (s *splice) begin(to *seam, patient bool) {
	s.first = time.Time{}
	for i := range s.strands {
		st := &s.strands[i]
		st.held, st.size, st.same = nil, 0, 0
		st.known = st.past
		st.log.reset(time.Time{}, false)
		st.open, st.closed, st.told, st.meets, st.rivals = false, false, false, hit{}, 0
		st.quiet, st.since = time.Time{}, 0
		if st.to = nil; to == nil {
			continue
		}
		st.to = &to.outs[i]
		if st.ends = st.to.tail; !patient {
			st.ends = st.ends[len(st.ends)-st.to.sure():]
		}
		switch {
		case len(st.to.tail) > 0:
			st.closed = st.to.at.Before(s.since)
			if to.live && to.at.Sub(st.to.at) >= settling {
				st.quiet = to.at
			}
		case st.to.whole:
			st.bound = st.to.began
		default:
			st.bound = later(st.to.began, to.at.Add(-settling))
		}
	}
}

// feed adds an entry of the log, whose text the splice does not keep.
func (s *splice) feed(e entry) {
	if s.first.IsZero() {
		s.first = e.at
	}
	st := &s.strands[e.out]
	st.log.add(e.text, e.at)
	if st.closed {
		return
	}
	e.meets = s.isLast(st, e)
	switch {
	case st.decided(e.at):
		if e.meets {
			st.meet(e)
		}
	case st.seeking:
		s.seek(st, e)
	default:
		s.pass(st, e)
	}
}

// decided reports whether an entry was dealt with in an earlier go.
func (st *strand) decided(at time.Time) bool {
	if at.Equal(st.known.at) {
		st.same++
		return st.same <= st.known.n
	}
	return at.Before(st.known.at)
}

// isLast reports whether the log up to an entry ends as the output does at the seam.
func (s *splice) isLast(st *strand, e entry) bool {
	if st.to == nil || e.at.Before(st.to.began) {
		return false
	}
	st.since += len(e.text)
	if st.to.whole && len(st.to.tail) < window && !s.since.After(st.to.began) && st.since != len(st.to.tail) {
		return false // it is all that was printed
	}
	return e.whole() && len(st.ends) > 0 && bytes.HasSuffix(st.log.tail, st.ends)
}

// meet takes note of an entry that may be the last one before the seam, and reports whether
// it is the best so far: the last one of all, if nothing came after it for a while, else the
// nearest in time.
func (st *strand) meet(e entry) bool {
	off := apart(e.at, st.to.at)
	if !st.quiet.IsZero() {
		if e.at.After(st.quiet) {
			return false
		}
	} else if st.meets.found {
		st.rivals++
		if !st.meets.better(off) {
			return false
		}
	}
	st.meets = hit{true, off}
	st.before = append(st.before[:0], bytes.TrimSuffix(st.log.tail, st.ends)...)
	return true
}

// beyond reports whether an entry cannot be before the seam any more.
func (st *strand) beyond(e entry) bool {
	if !st.quiet.IsZero() {
		return e.at.After(st.quiet)
	}
	return e.at.Sub(st.to.at) > max(st.meets.off, settling)
}

func apart(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

// seek looks for where to begin.
func (s *splice) seek(st *strand, e entry) {
	off := apart(e.at, st.from.at)
	if e.whole() && st.nearest.better(off) && st.log.isAt(st.from) {
		st.nearest = hit{true, off}
		st.meets, st.rivals = hit{}, 0
		if e.meets {
			st.meet(e)
		}
		for _, before := range st.drop() {
			st.past.pass(before)
		}
		st.past.pass(e)
		return
	}
	if !st.nearest.found && !e.at.After(st.from.at) {
		st.past.pass(e)
		return
	}
	st.hold(e)
	switch {
	case st.nearest.found && (e.at.Sub(st.from.at) > st.nearest.off || st.size > maxHeld):
		s.arrive(st)
	case st.size <= maxHeld:
	case s.since.IsZero():
		s.arrive(st)
	default:
		st.drop() // the log will be read from its beginning
	}
}

// arrive goes on behind from, or where that was not found, with what is later than it.
func (s *splice) arrive(st *strand) {
	st.seeking = false
	if !st.nearest.found {
		st.skip = 0
		s.lost()
	}
	for _, e := range st.drop() {
		s.pass(st, e)
	}
}

func (st *strand) hold(e entry) {
	e.text = bytes.Clone(e.text)
	st.held = append(st.held, e)
	st.size += len(e.text)
}

// drop returns what was held back, and holds it no longer.
func (st *strand) drop() []entry {
	held := st.held
	st.held, st.size = nil, 0
	return held
}

// pass decides what becomes of an entry behind from.
func (s *splice) pass(st *strand, e entry) {
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
func (s *splice) passUntil(st *strand, e entry) {
	if e.at.Before(st.bound) {
		s.tell(st, e)
		return
	}
	st.closed, st.open = true, !st.to.whole
}

// passTo goes by the text at the seam.
func (s *splice) passTo(st *strand, e entry) {
	switch {
	case e.meets && st.meet(e):
		for _, before := range st.drop() {
			s.tell(st, before)
		}
		s.tell(st, e)
	case st.meets.found && st.beyond(e) && st.size >= st.to.cutOff(), st.size > maxHeld:
		st.closed = true
	case st.meets.found || e.at.After(st.to.at):
		st.hold(e)
	default:
		s.tell(st, e)
	}
}

func (s *splice) tell(st *strand, e entry) {
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
func (st *strand) skipOpen(text []byte) []byte {
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
func (s *splice) missed() bool {
	missed := false
	for i := range s.strands {
		if st := &s.strands[i]; st.seeking && !st.nearest.found {
			missed = missed || !s.since.IsZero() || st.from.sure < st.from.width
		}
	}
	return missed
}

// again begins anew where missed is true. The log is then read from its beginning, for the text
// that is without doubt.
func (s *splice) again() {
	s.since = time.Time{}
	for i := range s.strands {
		if st := &s.strands[i]; st.seeking && !st.nearest.found {
			from := st.from
			if from.sure < from.width {
				from.width, from.sum = from.sure, from.sureSum
			}
			*st = strand{from: from, skip: st.skip, seeking: true}
		}
	}
}

// end ends a go with the end of the log, and reports whether all that lies before the seam
// was told. If not, the log is behind, or the seam cannot be found in it, or when patient
// not for sure; another go may tell.
func (s *splice) end(patient bool) bool {
	settled, short := true, false
	for i := range s.strands {
		st := &s.strands[i]
		if st.seeking {
			s.arrive(st)
		}
		if st.to == nil || s.settled(st) && !(patient && st.rivals > 0) {
			continue
		}
		settled = false
		short = short || len(st.log.tail) < len(st.ends)
	}
	if short { // to know the seam takes what is before it
		s.since = time.Time{}
	}
	return settled
}

func (s *splice) settled(st *strand) bool {
	switch {
	case len(st.to.tail) == 0:
		return !st.open
	case st.meets.found:
		return true
	default: // of an output that was silent for long, no line needs to be there
		return !st.told && !s.first.IsZero() && s.first.After(st.to.at.Add(-settling)) || st.to.at.Before(s.since)
	}
}

// rest tells the open lines at the seam, as far as they were not told before. Of one that is
// longer than what is kept of it, the log has the beginning.
func (s *splice) rest() {
	for out := range s.strands {
		st := &s.strands[out]
		if st.to == nil || st.seeking {
			continue
		}
		missing := st.to.cutOff()
		if st.meets.found {
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
			s.emit(entry{out: out, at: time.Now(), text: st.to.open[skip:]})
		}
	}
}

// isOlder reports whether all that from has of an open line came before to was followed.
func (st *strand) isOlder() bool { return st.skip > 0 && st.from.grew.Before(st.to.began) }
