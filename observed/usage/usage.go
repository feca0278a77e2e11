package usage

import (
	"context"
	"sync"

	"lightd/observed"
	"lightd/observed/streams"
)

// Source opens streams of figures; Docker does.
type Source interface {
	// Stats calls fn with figures, again and again, until the stream ends.
	Stats(ctx context.Context, containerID string, fn func(observed.Stats)) error
}

// Registry has the subscriptions to the figures of all ids.
type Registry struct {
	source  Source
	targets streams.Targets
	group   *streams.Group

	mu    sync.Mutex
	usage map[string]*usage
}

// usage is what is followed of one id. It exists while it has subscribers, and is under the
// lock of its registry.
type usage struct {
	registry    *Registry
	id          string
	stream      *streams.Reconnector
	subscribers map[*Subscription]struct{}
	last        *observed.Stats
}

// New returns a Registry that has no stream open. Close it.
func New(source Source, targets streams.Targets) *Registry {
	return &Registry{source: source, targets: targets, group: streams.NewGroup(), usage: make(map[string]*usage)}
}

// Close ends all streams and subscriptions, and returns when they have ended.
func (r *Registry) Close() {
	r.group.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.usage {
		u.stream.Stop()
		for s := range u.subscribers {
			s.closeLocked()
		}
	}
}

// Subscription is one follower of the figures of an id.
type Subscription struct {
	usage *usage
	once  sync.Once
	// out has room for one value, the newest; sends and its closing are under the lock.
	out    chan observed.Stats
	closed bool
}

// SubscribeStats follows the figures of the runtime container of id while it runs. Close the
// subscription.
func (r *Registry) SubscribeStats(id string) *Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.usage[id]
	if u == nil {
		u = &usage{registry: r, id: id, subscribers: make(map[*Subscription]struct{})}
		u.stream = streams.NewReconnector(r.group, &r.mu, u)
		r.usage[id] = u
	}
	s := &Subscription{usage: u, out: make(chan observed.Stats, 1)}
	if r.group.Context().Err() != nil {
		s.closeLocked()
	}
	u.subscribers[s] = struct{}{}
	u.reconcileLocked()
	if u.last != nil {
		s.pushLocked(*u.last)
	}
	return s
}

// C returns the channel of figures. It is closed after Close, and when the registry closes.
func (s *Subscription) C() <-chan observed.Stats { return s.out }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.once.Do(func() {
		u := s.usage
		r := u.registry
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(u.subscribers, s)
		s.closeLocked()
		u.reconcileLocked()
		if len(u.subscribers) == 0 {
			u.stream.Stop()
			delete(r.usage, u.id)
		}
	})
}

func (s *Subscription) closeLocked() {
	if !s.closed {
		s.closed = true
		close(s.out)
	}
}

// pushLocked replaces what the subscriber has not taken yet.
func (s *Subscription) pushLocked(v observed.Stats) {
	if s.closed {
		return
	}
	select {
	case <-s.out:
	default:
	}
	s.out <- v
}

// Reconcile opens and closes the stream of id as its observation demands.
func (r *Registry) Reconcile(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.usage[id]; u != nil {
		u.reconcileLocked()
	}
}

// Forget drops the last known figures of id. Subscriptions stay until they are closed.
func (r *Registry) Forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.usage[id]; u != nil {
		u.last = nil
		u.reconcileLocked()
	}
}

func (u *usage) reconcileLocked() {
	if u.registry.group.Context().Err() != nil {
		return
	}
	s := u.registry.targets.Get(u.id)
	current := u.stream.Current()
	var want streams.Run
	open := s.Run.Running() && len(u.subscribers) > 0
	if open {
		want = streams.RunOf(s.Run)
	}
	if !open || current != nil && !current.Run.Equal(want) {
		u.last = nil
	}
	if open && !s.EngineUp && current == nil {
		return // the engine's return is an observation too
	}
	if old := u.stream.SetTarget(want, open); old != nil {
		old.Cancel()
	}
}

// Serve implements streams.Handler.
func (u *usage) Serve(s *streams.Stream) error {
	r := u.registry
	return r.source.Stats(s.Context(), s.ContainerID, func(v observed.Stats) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if u.stream.Current() != s || v == (observed.Stats{}) {
			return // of another run, or of no process
		}
		if !s.IsOpen() {
			s.Opened()
		}
		if u.last != nil && *u.last == v {
			return
		}
		u.last = &v
		for w := range u.subscribers {
			w.pushLocked(v)
		}
	})
}

// StreamEndedLocked implements streams.Handler.
func (u *usage) StreamEndedLocked(*streams.Stream) {}

// Reconcile implements streams.Handler.
func (u *usage) Reconcile() { u.registry.Reconcile(u.id) }
