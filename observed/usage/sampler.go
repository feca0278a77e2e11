package usage

import (
	"context"
	"maps"
	"math"
	"sync"
	"time"

	"lightd/observed"
	"lightd/observed/streams"
)

const (
	// fresh is how old figures may be to be given out again.
	fresh = time.Second
	// leastWindow and maxWindow are how long two samples are apart at least and at most for the
	// processor time between them to be a figure.
	leastWindow, maxWindow = 200 * time.Millisecond, time.Minute
	// pause is how long the second sample waits where there is no earlier one.
	pause = 250 * time.Millisecond
	// patience is how long the engine's streams may take to their first figures, which are of a second.
	patience = 5 * time.Second
)

// Reader takes samples of the processes of this machine.
type Reader interface {
	// Sample returns what the container of a process has used; found is false where that cannot be read.
	Sample(pid int, containerID string) (s observed.Sample, found bool)
}

// Figures are what a container uses.
type Figures struct {
	// StartedAt is when its process was started.
	StartedAt time.Time
	// At is when the others were measured; zero where they could not be.
	At time.Time
	observed.Stats
}

// Sampler measures what containers use when it is asked to, and does nothing in between. Its methods
// may be used by any number of goroutines.
type Sampler struct {
	targets streams.Targets
	open    func() Reader
	streams *Registry

	mu     sync.Mutex
	known  map[string]record // guarded by mu, like pruned: when those that are too old were dropped
	pruned time.Time
}

// record is the last sample of a run, with the figures that it made with the one before; their time is
// zero where it is the first.
type record struct {
	run     streams.Run
	sample  observed.Sample
	figures Figures
}

// NewSampler returns a Sampler of the containers of targets. open returns a reader of this machine, and is nil
// where the engine may be on another one. What cannot be read is taken from the streams of r.
func NewSampler(targets streams.Targets, open func() Reader, r *Registry) *Sampler {
	return &Sampler{targets: targets, open: open, streams: r, known: map[string]record{}}
}

// Measure returns the figures of those ids whose processes run, of after the call or a second before it at
// most. That takes a quarter of a second where none were measured in the last minute; and a second or two where the kernel's files cannot
// be read. Containers that do not run are left out.
func (s *Sampler) Measure(ctx context.Context, ids []string) map[string]Figures {
	s.prune()
	found, missing := map[string]Figures{}, map[string]*observed.Container{}
	for _, id := range ids {
		c := s.targets.Get(id).Run
		if !c.Running() {
			continue
		}
		if f, known := s.recent(id, streams.RunOf(c)); known {
			found[id] = f
		} else {
			missing[id] = c
		}
	}
	if s.open != nil && len(missing) > 0 {
		r := s.open()
		if first := s.sample(r, missing, found); first > 0 {
			streams.Sleep(ctx, pause)
			s.sample(r, missing, found)
		}
	}
	s.follow(ctx, missing, found)
	for id, c := range missing {
		if _, measured := found[id]; !measured {
			found[id] = Figures{StartedAt: c.StartedAt}
		}
	}
	return found
}

// prune drops the samples that are too old, once in a while: it passes over all of them.
func (s *Sampler) prune() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.pruned) < maxWindow {
		return
	}
	s.pruned = time.Now()
	maps.DeleteFunc(s.known, func(_ string, r record) bool { return time.Since(r.sample.At) > maxWindow })
}

// recent returns the figures of a run that are fresh.
func (s *Sampler) recent(id string, run streams.Run) (Figures, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.known[id]
	return r.figures, r.run.Equal(run) && !r.figures.At.IsZero() && time.Since(r.figures.At) < fresh
}

// sample takes a sample of each container that is missing, and moves those that have figures by it to found. It
// returns how many have a first sample now.
func (s *Sampler) sample(r Reader, missing map[string]*observed.Container, found map[string]Figures) (first int) {
	for id, c := range missing {
		now, readable := r.Sample(c.PID, c.ContainerID)
		if !readable {
			continue
		}
		f, known := s.record(id, streams.RunOf(c), now)
		if !known {
			first++
			continue
		}
		found[id] = f
		delete(missing, id)
	}
	return first
}

// record keeps a sample, and returns the figures that it makes with the one before, if it does.
func (s *Sampler) record(id string, run streams.Run, now observed.Sample) (Figures, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.known[id]
	apart := now.At.Sub(before.sample.At)
	if !before.run.Equal(run) || apart > maxWindow {
		s.known[id] = record{run: run, sample: now}
		return Figures{}, false
	}
	if apart < leastWindow {
		return before.figures, !before.figures.At.IsZero()
	}
	f := Figures{StartedAt: run.StartedAt, At: now.At, Stats: now.Stats}
	f.CPUUsage = math.Round(max(0, float64(now.CPU-before.sample.CPU))/float64(apart)*1e4) / 1e2
	s.known[id] = record{run: run, sample: now, figures: f}
	return f, true
}

// follow takes the figures of what is missing from the engine's streams.
func (s *Sampler) follow(ctx context.Context, missing map[string]*observed.Container, found map[string]Figures) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	following := map[string]*Subscription{}
	for id := range missing {
		following[id] = s.streams.SubscribeStats(id)
		defer following[id].Close()
	}
	for id, subscription := range following {
		select {
		case stats, open := <-subscription.C():
			if open {
				found[id] = Figures{StartedAt: missing[id].StartedAt, At: time.Now(), Stats: stats}
			}
		case <-ctx.Done():
			return
		}
	}
}
