package wait

import (
	"sync"
	"time"

	"lightd/observed/status"
)

// Registry holds waits. Its methods may be used by any number of goroutines.
type Registry struct {
	look func(id string) Observation

	mu   sync.Mutex
	free int                           // guarded by mu, as is all that follows
	byID map[string]map[*Wait]struct{} // those without a verdict yet
}

// NewRegistry returns a Room for so many waits at once. look must show what has changed when
// Look is called; it must not block, nor use the Room.
func NewRegistry(places int, look func(id string) Observation) *Registry {
	return &Registry{look: look, free: places, byID: map[string]map[*Wait]struct{}{}}
}

// Register takes a place for one wait, which must Leave; false when there is none.
func (r *Registry) Register() (*Wait, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free == 0 {
		return nil, false
	}
	r.free--
	return &Wait{room: r, inside: true, results: map[string]*Result{}, done: make(chan struct{})}, true
}

// Evaluate judges those who wait for a container, of which something has changed.
func (r *Registry) Evaluate(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.judgeLocked(id)
}

// EvaluateAll judges all, when what has changed is the same for every container.
func (r *Registry) EvaluateAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.byID {
		r.judgeLocked(id)
	}
}

// judgeLocked is Look. The caller holds mu.
func (r *Registry) judgeLocked(id string) {
	if len(r.byID[id]) == 0 {
		return
	}
	sight := r.look(id)
	for w := range r.byID[id] {
		w.judgeLocked(id, sight)
	}
}

// forgetLocked ends the interest of w in a container. The caller holds mu.
func (r *Registry) forgetLocked(id string, w *Wait) {
	delete(r.byID[id], w)
	if len(r.byID[id]) == 0 {
		delete(r.byID, id)
	}
}

// Result is how a wait for one target stands: the last verdict, and the status that it
// rests on, which is read-only.
type Result struct {
	Outcome
	Target Target
	Status status.Status

	timer *time.Timer // of a verdict that time alone may change
}

// Wait is the wait of one request, for any number of targets.
type Wait struct {
	room *Registry
	done chan struct{}
	// What follows is guarded by room.mu.
	results map[string]*Result
	open    int
	inside  bool
	closed  bool
}

// For arms w with its targets, of which no two have one id, and judges them at once. It is
// called once.
func (w *Wait) For(targets ...Target) {
	r := w.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if !w.inside {
		return
	}
	w.open = len(targets)
	for _, t := range targets {
		w.results[t.ID] = &Result{Target: t}
		if r.byID[t.ID] == nil {
			r.byID[t.ID] = map[*Wait]struct{}{}
		}
		r.byID[t.ID][w] = struct{}{}
	}
	if w.open == 0 {
		w.end()
	}
	for _, t := range targets {
		w.judgeLocked(t.ID, r.look(t.ID))
	}
}

// judgeLocked keeps the verdict on one target. The caller holds room.mu.
func (w *Wait) judgeLocked(id string, s Observation) {
	result := w.results[id]
	result.Outcome, result.Status = result.Target.Evaluate(s), s.Status
	result.stopTimer()
	if !result.Done {
		if result.again > 0 && w.inside {
			result.timer = time.AfterFunc(result.again, func() { w.room.Evaluate(id) })
		}
		return
	}
	w.room.forgetLocked(id, w)
	if w.open--; w.open == 0 || !result.Met {
		w.end()
	}
}

func (r *Result) stopTimer() {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
}

func (w *Wait) end() {
	if !w.closed {
		w.closed = true
		close(w.done)
	}
}

// Done is closed when all targets are met, or one of them in vain.
func (w *Wait) Done() <-chan struct{} { return w.done }

// Results returns how the wait for each target stands, by id.
func (w *Wait) Results() map[string]Result {
	w.room.mu.Lock()
	defer w.room.mu.Unlock()
	all := make(map[string]Result, len(w.results))
	for id, r := range w.results {
		all[id] = Result{Outcome: r.Outcome, Target: r.Target, Status: r.Status}
	}
	return all
}

// Cancel gives the place back; a second time is none.
func (w *Wait) Cancel() {
	r := w.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if !w.inside {
		return
	}
	w.inside = false
	r.free++
	for id, result := range w.results {
		result.stopTimer()
		r.forgetLocked(id, w)
	}
}

// Waiting returns how many wait for a container.
func (r *Registry) Waiting(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byID[id])
}
