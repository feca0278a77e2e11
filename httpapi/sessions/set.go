package sessions

import (
	"errors"
	"sync"
	"time"
)

// Errors of Enter, and the reasons given to Stop.
var (
	ErrTooMany = errors.New("too many connections")
	ErrClosed  = errors.New("daemon is stopping")
	ErrExpired = errors.New("token is no longer valid")
)

// Session is what one client has open.
type Session interface {
	comparable
	// Valid reports whether the token that it goes by still holds.
	Valid() bool
	// Stop makes it leave soon, and does not wait for that. Why is ErrExpired or ErrClosed.
	Stop(why error)
}

// Limits are what a Set works with.
type Limits struct {
	// Total bounds the sessions, PerKey those of one key: 0 is as many as there may be in all.
	Total, PerKey int
	// CheckEvery is how often tokens are looked at.
	CheckEvery time.Duration
}

// Set is the sessions that are open. Its methods may be used by any number of goroutines.
type Set[S Session] struct {
	limits Limits // Total and PerKey are guarded by mu
	quit   chan struct{}
	gone   sync.WaitGroup // the sessions, and who looks at their tokens

	mu     sync.Mutex
	byKey  map[string]map[S]struct{} // guarded by mu
	total  int                       // guarded by mu
	closed bool                      // guarded by mu
}

// New returns a Set without sessions. Close it.
func New[S Session](l Limits) *Set[S] {
	set := &Set[S]{limits: l, quit: make(chan struct{}), byKey: map[string]map[S]struct{}{}}
	set.gone.Go(set.watchTokens)
	return set
}

// Enter takes s in under a key, of which "" has no bound of its own, unless it returns
// ErrTooMany or ErrClosed. Who was taken in must Leave.
func (set *Set[S]) Enter(key string, s S) error {
	set.mu.Lock()
	defer set.mu.Unlock()
	switch {
	case set.closed:
		return ErrClosed
	case set.total >= set.limits.Total, key != "" && set.limits.PerKey > 0 && len(set.byKey[key]) >= set.limits.PerKey:
		return ErrTooMany
	}
	if set.byKey[key] == nil {
		set.byKey[key] = map[S]struct{}{}
	}
	set.byKey[key][s] = struct{}{}
	set.total++
	set.gone.Add(1)
	return nil
}

// SetLimits changes the bounds for sessions to come.
func (set *Set[S]) SetLimits(perKey, total int) {
	set.mu.Lock()
	defer set.mu.Unlock()
	set.limits.PerKey, set.limits.Total = perKey, total
}

// Leave is the end of s.
func (set *Set[S]) Leave(key string, s S) {
	set.mu.Lock()
	defer set.mu.Unlock()
	delete(set.byKey[key], s)
	if len(set.byKey[key]) == 0 {
		delete(set.byKey, key)
	}
	set.total--
	set.gone.Done()
}

// Each calls fn for each session of a key. It must answer fast and not call the Set.
func (set *Set[S]) Each(key string, fn func(S)) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for s := range set.byKey[key] {
		fn(s)
	}
}

// Len is how many sessions there are.
func (set *Set[S]) Len() int {
	set.mu.Lock()
	defer set.mu.Unlock()
	return set.total
}

// Closing is closed when Close begins.
func (set *Set[S]) Closing() <-chan struct{} { return set.quit }

// Close stops all sessions and returns when they have left.
func (set *Set[S]) Close() {
	set.mu.Lock()
	already := set.closed
	set.closed = true
	set.mu.Unlock()
	if !already {
		close(set.quit)
		for _, s := range set.all() {
			s.Stop(ErrClosed)
		}
	}
	set.gone.Wait()
}

func (set *Set[S]) all() []S {
	set.mu.Lock()
	defer set.mu.Unlock()
	all := make([]S, 0, set.total)
	for _, sessions := range set.byKey {
		for s := range sessions {
			all = append(all, s)
		}
	}
	return all
}

func (set *Set[S]) watchTokens() {
	ticker := time.NewTicker(set.limits.CheckEvery)
	defer ticker.Stop()
	for {
		select {
		case <-set.quit:
			return
		case <-ticker.C:
		}
		for _, s := range set.all() {
			if !s.Valid() {
				s.Stop(ErrExpired)
			}
		}
	}
}
