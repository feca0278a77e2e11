package streams

import (
	"context"
	"errors"
	"sync"
	"time"

	"lightd/desired/subscribe"
)

// ErrClosed: the Group was closed.
var ErrClosed = errors.New("console is closed")

// Group runs the goroutines of one room until it is closed.
type Group struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	wg     sync.WaitGroup // grows only while closed is false
	closed bool
}

// NewGroup returns a Group without goroutines. Close it.
func NewGroup() *Group {
	g := &Group{}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// Context returns what ends when the group is closed.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs fn in a goroutine that Close waits for, and reports false where the group is closed.
func (g *Group) Go(fn func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.wg.Go(fn)
	return true
}

// Close ends the context, and returns when all goroutines have ended.
func (g *Group) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.wg.Wait()
}

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Notifier calls a function for each id that changed, on a goroutine of its own.
type Notifier struct {
	wake chan struct{} // capacity 1

	mu      sync.Mutex
	changed map[string]struct{}
}

// NewNotifier returns a Notifier that calls reconcile until g is closed.
func NewNotifier(g *Group, reconcile func(id string)) *Notifier {
	n := &Notifier{wake: make(chan struct{}, 1), changed: make(map[string]struct{})}
	g.Go(func() { n.run(g.ctx, reconcile) })
	return n
}

// Notify reports that the observation of id has changed. It never blocks, and may be called from
// within the cache's callback.
func (n *Notifier) Notify(id string) {
	n.mu.Lock()
	n.changed[id] = struct{}{}
	n.mu.Unlock()
	subscribe.Wake(n.wake)
}

func (n *Notifier) run(ctx context.Context, reconcile func(id string)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		n.mu.Lock()
		ids := n.changed
		n.changed = make(map[string]struct{})
		n.mu.Unlock()
		for id := range ids {
			reconcile(id)
		}
	}
}
