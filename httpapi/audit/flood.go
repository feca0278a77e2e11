package audit

import (
	"sync"
	"time"
)

// narrowest is the time within which requests of one source are counted into one line.
const narrowest = time.Second

// flood writes the first request of a source at once, and counts those that follow into one line for each
// window of time. Its methods may be called by any goroutine.
type flood struct {
	write func(Line)
	// max bounds the sources that are told apart.
	max int
	// widest is what the window of a source that goes on grows to.
	widest time.Duration

	mu      sync.Mutex
	sources map[string]*burst // guarded by mu
}

// burst is what a source has sent within its window.
type burst struct {
	window      time.Duration
	ends, since time.Time
	last        Line
	count       int
	bytes       int64
}

func newFlood(write func(Line), max int, widest time.Duration) *flood {
	return &flood{write: write, max: max, widest: widest, sources: map[string]*burst{}}
}

// add records a request of a source.
func (f *flood) add(source string, line Line) {
	if f.hold(source, line) {
		return
	}
	f.write(line)
}

// hold counts a request whose source has a window, and reports whether it has; else it gives it one.
func (f *flood) hold(source string, line Line) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, found := f.sources[source]
	if !found && len(f.sources) >= f.max {
		source = ""
		line = Line{Time: line.Time, Event: line.Event, Record: Record{Code: line.Code}, Status: line.Status, Bytes: line.Bytes}
		if b, found = f.sources[source]; !found {
			b, found = &burst{window: narrowest, ends: line.Time.Add(narrowest)}, true
			f.sources[source] = b
		}
	}
	if !found {
		f.sources[source] = &burst{window: narrowest, ends: line.Time.Add(narrowest)}
		return false
	}
	if b.count == 0 {
		b.since = line.Time
	}
	b.last = line
	b.count++
	b.bytes += line.Bytes
	return true
}

// flush writes what was counted in windows that have ended, or in all.
func (f *flood) flush(now time.Time, all bool) {
	for _, line := range f.ended(now, all) {
		f.write(line)
	}
}

func (f *flood) ended(now time.Time, all bool) (lines []Line) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for source, b := range f.sources {
		switch {
		case !all && now.Before(b.ends) && b.ends.Sub(now) <= f.widest: // which a clock that was set back would exceed
			continue
		case b.count == 0:
			delete(f.sources, source)
			continue
		}
		line := b.last
		line.Count, line.Bytes = b.count, b.bytes
		if b.count > 1 {
			line.Since = b.since
		} else {
			line.Count = 0
		}
		lines = append(lines, line)
		b.window = min(2*b.window, f.widest)
		b.ends, b.count, b.bytes = now.Add(b.window), 0, 0
	}
	return lines
}
