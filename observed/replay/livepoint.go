package replay

import (
	"errors"
	"slices"
	"time"

	"lightd/observed/streams"
)

// ErrLivePoint: a log does not contain the live point.
var ErrLivePoint = errors.New("log does not meet the live output")

// LivePoint is where the live output of a container begins, of which the log has both sides.
type LivePoint struct {
	outs [streams.Outputs]cursorTracker
	// at is when the live point was made, and live tells that the output was followed then.
	at   time.Time
	live bool
}

// LivePointOf returns the end of the text of c; with live its output is being followed.
func LivePointOf(c *Composer, now time.Time, live bool) *LivePoint {
	s := &LivePoint{at: now, live: live}
	for i := range c.outs {
		s.outs[i] = c.outs[i].clone()
	}
	return s
}

// recent reports whether the log may still lack what was read shortly before the live point.
func (s *LivePoint) recent() bool {
	return s != nil && slices.ContainsFunc(s.outs[:], func(o cursorTracker) bool {
		return s.at.Sub(later(o.began, o.at)) < settleTime
	})
}

// age returns for how long the outputs that were silent have been followed.
func (s *LivePoint) age() time.Duration {
	age := settleTime
	if s == nil {
		return age
	}
	for i := range s.outs {
		if o := &s.outs[i]; !o.whole && len(o.tail) == 0 {
			age = min(age, s.at.Sub(o.began))
		}
	}
	return age
}
