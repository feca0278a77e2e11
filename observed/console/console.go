package console

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"lightd/observed"
)

// Errors that callers decide by.
var (
	// ErrNotRunning: the container has no process that could read.
	ErrNotRunning = errors.New("container is not running")
	// ErrTimeout: the program did not read its input in time. How much of it arrived
	// is not known.
	ErrTimeout = errors.New("program does not read its input")
	// ErrNoContainer: there is no container to read from.
	ErrNoContainer = errors.New("no container exists")
	// ErrClosed: the console was closed.
	ErrClosed = errors.New("console is closed")
)

// Targets tells which containers an id has now; the live cache does. Get may be called with
// locks of this package held, so Get must not wait for anything that waits for Notify.
type Targets interface {
	Get(id string) observed.Snapshot
}

// Config is what a Console works with.
type Config struct {
	Streams Streams
	Targets Targets
	// Resize makes the terminal of a container as large as it is told; nil does nothing.
	Resize func(ctx context.Context, containerID string, s Size) error
	// Changed is called, without any lock held, when Matched has news of an id. It must
	// not block.
	Changed func(id string)
	Log     *slog.Logger
}

// Target names one container, and how its output is framed.
type Target struct {
	ContainerID string
	TTY         bool
}

// Run names one life of a container.
type Run struct {
	// StartedAt is zero before the start; the expectation is then bound to the run
	// when a later call brings its time.
	StartedAt time.Time
	// Since is where the output of this run begins in the log: the end of the run
	// before it. When zero, or after StartedAt, shortly before StartedAt.
	Since time.Time
}

// Console is the hub of all streams of a node's containers.
type Console struct {
	cfg      Config
	patterns patterns
	created  time.Time

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // capacity 1

	mu      sync.Mutex
	wg      sync.WaitGroup // grows only while closed is false
	closed  bool
	hubs    map[string]*hub
	pending map[string]struct{} // ids whose observation changed
	sizes   map[string]*pendingSize
}

// New returns a Console that has no stream open. Close it.
func New(cfg Config) *Console {
	c := &Console{
		cfg:     cfg,
		created: time.Now(),
		wake:    make(chan struct{}, 1),
		hubs:    make(map[string]*hub),
		pending: make(map[string]struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.goes(c.follow)
	return c
}

// Close ends every stream, subscription and goroutine, and returns when they are gone.
func (c *Console) Close() {
	c.mu.Lock()
	c.closed = true
	hubs := make([]*hub, 0, len(c.hubs))
	for _, h := range c.hubs {
		hubs = append(hubs, h)
	}
	c.mu.Unlock()
	c.cancel()
	c.wg.Wait()
	for _, h := range hubs {
		h.stop()
	}
}

// goes runs fn in a goroutine that Close waits for, unless the console is closed.
func (c *Console) goes(fn func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wg.Go(fn)
	return true
}

// Notify says that the observation of id has changed. It never blocks, and may be called
// from within the cache's callback.
func (c *Console) Notify(id string) {
	c.mu.Lock()
	if _, ok := c.hubs[id]; ok {
		c.pending[id] = struct{}{}
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// follow settles what Notify named.
func (c *Console) follow() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.wake:
		}
		c.mu.Lock()
		ids := c.pending
		c.pending = make(map[string]struct{})
		c.mu.Unlock()
		for id := range ids {
			if h := c.known(id); h != nil {
				h.settleAll()
			}
		}
	}
}

// known returns the hub of id, or nil.
func (c *Console) known(id string) *hub {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hubs[id]
}

// hub returns the hub of id, locked, making it if need be.
func (c *Console) hub(id string) *hub {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hubs[id]
	if h == nil {
		h = newHub(c, id)
		c.hubs[id] = h
	}
	h.users++
	return h
}

// retain begins another use of h, which has one.
func (c *Console) retain(h *hub) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.users++
}

// release ends a use of h that hub or retain began, and drops h when nothing of it is in use.
func (c *Console) release(h *hub) {
	c.mu.Lock()
	h.users--
	drop := h.users == 0
	if drop {
		delete(c.hubs, h.id)
	}
	c.mu.Unlock()
	if drop {
		h.stop()
	}
}

// Forget drops what is kept of id: streams, the input connection and the expected pattern.
// Subscriptions stay until they are closed, and see a container that is made anew.
func (c *Console) Forget(id string) {
	if h := c.known(id); h != nil {
		h.forget()
	}
}
