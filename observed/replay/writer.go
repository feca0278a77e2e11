package replay

import (
	"slices"
	"time"

	"lightd/observed"
	"lightd/observed/streams"
)

// Writer makes pieces of text of entries of the log.
type Writer struct {
	Composer
	// Hand gets text or a notice, and the position behind it.
	Hand func(text, notice string, p Position)
}

// Turn begins with a container behind a position of it; nil is its beginning.
func (w *Writer) Turn(containerID string, from *Position) {
	w.Flush()
	w.Container = ContainerKey(containerID)
	for i := range w.outs {
		w.outs[i].reset(time.Time{}, false)
		if from != nil {
			w.outs[i].reset(from.outs[i].at, false)
			w.outs[i].base = from.outs[i]
		}
	}
}

// Add appends an entry.
func (w *Writer) Add(e Entry) {
	w.Composer.Add(e.out, e.text, e.at)
	for len(w.Buf) >= MaxChunk {
		w.cut(LineCut(w.Buf[:MaxChunk]))
	}
}

func (w *Writer) cut(n int) {
	text := w.Take(n)
	w.Hand(text, "", w.Position())
}

// Notice hands out a notice, behind the text before it.
func (w *Writer) Notice(text string) {
	w.Flush()
	w.Hand("", text, w.Position())
}

// Flush hands out what there is.
func (w *Writer) Flush() {
	if len(w.Buf) > 0 {
		w.cut(len(w.Buf))
	}
}

// Position is behind what was handed out. Of an output that was silent it is as late as
// that of the other: the log has both in one order.
func (w *Writer) Position() Position {
	p := w.Composer.Position(time.Time{})
	last := p.last()
	for i := range p.outs {
		if p.outs[i].at.IsZero() {
			p.outs[i].at = last
		}
	}
	return p
}

// Segment is one container's part of a history.
type Segment struct {
	streams.Target
	Keeps int64
	From  *Position
	Lines int
}

// SegmentsOf returns which logs are to be read for what lies behind a position. Moved tells
// that its container is gone.
func SegmentsOf(s observed.Snapshot, since Position, lines int) (segments []Segment, moved bool) {
	var all []*observed.Container
	for _, c := range []*observed.Container{s.Install, s.Run} {
		if c != nil {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *observed.Container) int { return a.StartedAt.Compare(b.StartedAt) })
	p := since
	if p.IsZero() {
		if c := TailOf(s); c != nil {
			segments = append(segments, Segment{Target: streams.TargetOf(c), Keeps: Keeps(c.Log), Lines: min(lines, MaxLines)})
		}
		return segments, false
	}
	moved = p.container != 0
	for _, c := range all {
		l := Segment{Target: streams.TargetOf(c), Keeps: Keeps(c.Log)}
		switch {
		case ContainerKey(c.ContainerID) == p.container:
			segments, moved = nil, false
			l.From = &p
		case !c.StartedAt.After(p.last()):
			at := At(p.last())
			l.From = &at
		}
		segments = append(segments, l)
	}
	return segments, moved
}

// TailOf returns the container whose last lines are of interest, nil when there is none.
func TailOf(s observed.Snapshot) *observed.Container {
	if s.Install.Running() || s.Run == nil {
		return s.Install
	}
	return s.Run
}

// logSlack is how long before its start by the engine's clock a run may have written its first lines.
const logSlack = 2 * time.Second

// BeginOf returns where the output of a run begins in the log, by the engine's clock: at the end of
// the run before, which is since. Where the clock was set back since then, some of that one's output
// comes with it: a pattern matched too early is less harm than a line that is never found.
func BeginOf(startedAt, since time.Time) time.Time {
	if since.IsZero() || since.After(startedAt) {
		return startedAt.Add(-logSlack)
	}
	return since
}
