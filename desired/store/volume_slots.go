package store

import (
	"context"
	"sync"
)

// volumeSlots bounds how many volumes are walked through at once, each by one at a time.
type volumeSlots struct {
	slots chan struct{}

	mu   sync.Mutex
	busy map[string]chan struct{} // guarded by mu: closed when the walk through a volume ends
}

func newVolumeSlots(n int) *volumeSlots {
	return &volumeSlots{slots: make(chan struct{}, n), busy: map[string]chan struct{}{}}
}

// enter waits until nothing else goes through the volume, and then for a slot.
func (s *volumeSlots) enter(ctx context.Context, id string) (leave func(), err error) {
	ended := make(chan struct{})
	for {
		s.mu.Lock()
		other := s.busy[id]
		if other == nil {
			s.busy[id] = ended
		}
		s.mu.Unlock()
		if other == nil {
			break
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	release := func() {
		s.mu.Lock()
		delete(s.busy, id)
		s.mu.Unlock()
		close(ended)
	}
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots; release() }, nil
	case <-ctx.Done():
		release()
		return nil, context.Cause(ctx)
	}
}
