package replay

import (
	"slices"
	"strconv"
	"time"

	"github.com/docker/go-units"

	"lightd/observed"
	"lightd/observed/streams"
)

// MaxLines bounds how many of the last lines are read.
const MaxLines = 5000

// Segment is one container's part of a history.
type Segment struct {
	streams.Target
	Keeps int64
	From  *Position
	Lines int
}

// SegmentsOf returns the logs to be read for what lies behind a position. With moved, its container is
// gone.
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

// TailOf returns the container whose last lines a client gets, nil when there is none.
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
// comes with it: a pattern that matches too early does less harm than a line that is never found.
func BeginOf(startedAt, since time.Time) time.Time {
	if since.IsZero() || since.After(startedAt) {
		return startedAt.Add(-logSlack)
	}
	return since
}

// Keeps returns how much of a log rotation leaves at least, in bytes; 0 where nothing is dropped.
func Keeps(l observed.Log) int64 {
	size, err := units.FromHumanSize(l.MaxSize)
	files, also := strconv.Atoi(l.MaxFile)
	if err != nil || also != nil || size <= 0 || files < 2 {
		return 0
	}
	return int64(files-1) * size
}
