package startpattern

import (
	"log/slog"
	"sync"
	"time"

	"lightd/observed/replay"
	"lightd/observed/screen"
	"lightd/observed/streams"
)

// Output is the live output of containers, from which a Registry is fed. It is called without any
// lock held.
type Output interface {
	// Keep has the output of id read while it is needed, until it is forgotten.
	Keep(id string)
	// Linger has the output of id read for d longer, if it is read.
	Linger(id string, d time.Duration)
}

// Config is what a Registry works with.
type Config struct {
	Source replay.LogSource
	// Changed is called, without any lock held, when Matched has news of an id. It must
	// not block.
	Changed func(id string)
	Log     *slog.Logger
}

// Registry has the expected patterns of all ids.
type Registry struct {
	cfg      Config
	output   Output
	group    *streams.Group
	patterns patterns
	// costly is taken while output is matched with an expensive pattern.
	costly chan struct{}

	mu     sync.Mutex // a leaf: nothing is called with it held
	probes map[string]*probe
	typed  map[string]*typed
}

// typed is what was written to the terminal of one run.
type typed struct {
	streams.Run
	screen.Typed
}

// New returns a Registry without patterns. Close it.
func New(cfg Config) *Registry {
	return &Registry{cfg: cfg, group: streams.NewGroup(), costly: make(chan struct{}, 1), probes: make(map[string]*probe), typed: make(map[string]*typed)}
}

// ReadFrom sets where the output comes from. It is called before the first Expect.
func (r *Registry) ReadFrom(o Output) { r.output = o }

// Close ends all goroutines and timers.
func (r *Registry) Close() {
	r.group.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.probes {
		p.stopLocked()
	}
}

// Forget drops the pattern that is expected of id.
func (r *Registry) Forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropLocked(id)
	delete(r.typed, id)
}

func (r *Registry) dropLocked(id string) {
	if p := r.probes[id]; p != nil {
		p.stopLocked()
		delete(r.probes, id)
	}
}

// typedLocked returns what was typed at the terminal of id.
func (r *Registry) typedLocked(id string) *typed {
	t := r.typed[id]
	if t == nil {
		t = &typed{}
		r.typed[id] = t
	}
	return t
}

// Typed records data that is about to be written to the terminal of a run, which may echo it.
func (r *Registry) Typed(id string, run streams.Run, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.typedLocked(id)
	if !t.Run.Equal(run) {
		t.Run = run
		t.Reset()
	}
	t.Write(data, time.Now())
}

// Expect has pattern (RE2) matched with the output of one run of t. It is idempotent. With a zero
// StartedAt it comes before the start is prepared; the first call with the StartedAt of that start
// binds it. An empty pattern expects nothing.
func (r *Registry) Expect(id string, t streams.Target, run Run, pattern string) error {
	if pattern == "" {
		r.mu.Lock()
		dropped := r.probes[id] != nil
		r.dropLocked(id)
		r.mu.Unlock()
		if dropped {
			r.output.Linger(id, 0)
		}
		return nil
	}
	re, err := r.patterns.compile(pattern)
	if err != nil {
		return err
	}
	if r.expect(id, t, run, pattern, re) {
		r.output.Keep(id)
	}
	return nil
}

// expect reports whether the probe of id is another than before.
func (r *Registry) expect(id string, t streams.Target, run Run, pattern string, re *expression) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.probes[id]
	switch same := p != nil && p.target == t && p.pattern == pattern; {
	case same && p.run.StartedAt.Equal(run.StartedAt):
		return false
	case same && !p.bound():
		p.bindLocked(run)
	default:
		r.dropLocked(id)
		r.probes[id] = newProbeLocked(r, id, t, run, pattern, re)
	}
	return true
}

// Matched reports whether the expected pattern has matched in that run.
func (r *Registry) Matched(id, containerID string, startedAt time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.probes[id]
	return p != nil && p.matched && p.bound() &&
		p.target.ContainerID == containerID && p.run.StartedAt.Equal(startedAt)
}

// Needs reports whether a pattern needs the output of t.
func (r *Registry) Needs(id string, t streams.Target) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.probes[id]
	return p != nil && p.target == t && !p.announced
}

// Preparing reports that t is about to be started: what it prints from now on counts.
func (r *Registry) Preparing(id string, t streams.Target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.probes[id]; p != nil && p.target == t && !p.bound() {
		p.matched, p.announced, p.live.void = false, false, true
		p.resetLocked()
	}
}

// Following reports the run whose output is read now, nil for none; with fromStart it is read from
// before the start on.
func (r *Registry) Following(id string, run *streams.Run, fromStart bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.probes[id]; p != nil {
		p.followLocked(run, fromStart)
	}
}

// Feed adds live output.
func (r *Registry) Feed(id string, run streams.Run, source int, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.probes[id]; p != nil {
		p.feedLocked(run, source, text, time.Now())
	}
}
