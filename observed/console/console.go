package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"lightd/observed/replay"
	"lightd/observed/streams"
)

// ErrNoContainer: there is no container to read from.
var ErrNoContainer = errors.New("no container exists")

// Source opens the streams of a container; Docker does. The context of a call bounds the
// stream too.
type Source interface {
	// AttachOutput opens the output from now on, as Docker frames it. Closing it ends a
	// Read that waits.
	AttachOutput(ctx context.Context, containerID string) (io.ReadCloser, error)
	replay.LogSource
}

// Tap reads the live output of an id beside its subscribers, as a start pattern does. It is called
// with the lock of the output held, so it must not call the Console.
type Tap interface {
	// Needs reports whether the output of t must be read though there is no subscriber.
	Needs(id string, t streams.Target) bool
	// Preparing reports that t is about to be started.
	Preparing(id string, t streams.Target)
	// Following reports the run whose output is read now, nil for none; with fromStart it is read
	// from before the start on.
	Following(id string, run *streams.Run, fromStart bool)
	// Feed hands over a piece of text as Docker's stream source had it.
	Feed(id string, run streams.Run, source int, text []byte)
	// AwaitRoom waits, without the lock, until more may be handed over.
	AwaitRoom(ctx context.Context, id string)
}

// Config is what a Console works with.
type Config struct {
	Source  Source
	Targets streams.Targets
	// Tap reads the output beside the subscribers.
	Tap Tap
	Log *slog.Logger
}

// Console has the output of all ids.
type Console struct {
	cfg   Config
	group *streams.Group
	// dropped counts the bytes that were dropped for slow subscribers.
	dropped atomic.Int64

	mu   sync.Mutex
	hubs map[string]*hub
}

// Dropped returns how many bytes of output were dropped so far as subscribers did not take them in time.
func (c *Console) Dropped() int64 { return c.dropped.Load() }

// New returns a Console that has no stream open. Close it.
func New(cfg Config) *Console {
	return &Console{cfg: cfg, group: streams.NewGroup(), hubs: make(map[string]*hub)}
}

// Close ends every stream, subscription and goroutine, and returns when they are gone.
func (c *Console) Close() {
	c.group.Close()
	c.mu.Lock()
	hubs := slices.Collect(maps.Values(c.hubs))
	c.mu.Unlock()
	for _, h := range hubs {
		h.stop()
	}
}

// get returns the hub of id, or nil.
func (c *Console) get(id string) *hub {
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
