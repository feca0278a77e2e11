package snapshots

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"k8s.io/client-go/util/workqueue"

	"lightd/observed"
	"lightd/observed/engine"
)

// Engine saves and loads images.
type Engine interface {
	Image(ctx context.Context, ref string) (observed.Image, error)
	SaveImage(ctx context.Context, ref string, read func(io.Reader) error) error
	LoadImage(ctx context.Context, archive func() (io.ReadCloser, error)) error
}

// Config is how copies are made.
type Config struct {
	Engine Engine
	Store  *Store
	// Changed is called with each reference of whose copy there is news. It must not block.
	Changed func(ref string)
	// Loaded is called with a reference that was loaded, before Changed.
	Loaded func(ref string)
	// Log takes what is worth knowing; nil stands for slog.Default().
	Log *slog.Logger
}

// loaders bounds the loads at once. Copies are saved one by one, as no step waits for them.
const loaders = 2

// saveRetry is how long after a failure a copy is not tried again: each try has the engine read
// the whole image.
const saveRetry = 15 * time.Minute

// Copies saves and loads copies in the background, and tracks which ones exist. It is safe
// for concurrent use.
type Copies struct {
	config Config
	saves  workqueue.TypedInterface[string]
	loads  workqueue.TypedInterface[string]

	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	copy       observed.SnapshotCopy
	saveFailed time.Time
	// removals counts the removals of the copy: a save that began before one is of another image.
	removals int
}

// New returns Copies that save and load nothing until Run.
func New(c Config) *Copies {
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.Loaded == nil {
		c.Loaded = func(string) {}
	}
	return &Copies{
		config: c, saves: workqueue.NewTyped[string](), loads: workqueue.NewTyped[string](), entries: map[string]*entry{},
	}
}

// Run saves and loads until ctx ends, which cuts off what is in progress. It returns after all
// that it started has ended, and may be called once.
func (c *Copies) Run(ctx context.Context) error {
	var group sync.WaitGroup
	group.Go(func() { work(c.saves, func(ref string) { c.save(ctx, ref) }) })
	for range loaders {
		group.Go(func() { work(c.loads, func(ref string) { c.load(ctx, ref) }) })
	}
	<-ctx.Done()
	c.saves.ShutDown()
	c.loads.ShutDown()
	group.Wait()
	return context.Cause(ctx)
}

// work calls fn with what is in a queue until it is shut down.
func work(queue workqueue.TypedInterface[string], fn func(ref string)) {
	for {
		ref, shutdown := queue.Get()
		if shutdown {
			return
		}
		fn(ref)
		queue.Done(ref)
	}
}

// Copy returns what is known of the copy of an image. It is memory but for the first time.
func (c *Copies) Copy(ref string) observed.SnapshotCopy {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entryLocked(ref).copy
}

// entryLocked returns the entry of a reference, a new one if there is none. The caller holds mu.
func (c *Copies) entryLocked(ref string) *entry {
	e := c.entries[ref]
	if e == nil {
		e = &entry{copy: observed.SnapshotCopy{Present: c.config.Store.Has(ref)}}
		c.entries[ref] = e
	}
	return e
}

// change alters what is known of a copy, and reports it.
func (c *Copies) change(ref string, fn func(*entry)) {
	c.mu.Lock()
	e := c.entryLocked(ref)
	before := e.copy
	fn(e)
	changed := e.copy != before
	c.mu.Unlock()
	if changed {
		c.config.Changed(ref)
	}
}

// Save has a copy made of an image where there is none, unless that has failed a short while
// ago. It does not block.
func (c *Copies) Save(ref string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entryLocked(ref)
	if e.copy.Present || time.Since(e.saveFailed) < saveRetry {
		return
	}
	c.saves.Add(ref)
}

// Load has an image loaded from its copy. It does not block.
func (c *Copies) Load(ref string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entryLocked(ref).copy.Loading = true
	c.loads.Add(ref)
}

// Remove removes the copy of an image, whose name another one is to have.
func (c *Copies) Remove(ref string) error {
	c.mu.Lock()
	c.entryLocked(ref).removals++
	c.mu.Unlock()
	err := c.config.Store.Remove(ref)
	c.change(ref, func(e *entry) { e.copy, e.saveFailed = observed.SnapshotCopy{Present: err != nil}, time.Time{} })
	return err
}

// Retain removes the copies that are not needed, and checks those that are: their
// files may be gone.
func (c *Copies) Retain(needed func(ref string) bool) {
	if err := c.config.Store.Retain(needed); err != nil {
		c.config.Log.Warn("copies of installations cannot be removed", "error", err)
	}
	c.mu.Lock()
	refs := make([]string, 0, len(c.entries))
	for ref, e := range c.entries {
		if e.copy.Loading || needed(ref) {
			refs = append(refs, ref)
			continue
		}
		delete(c.entries, ref)
	}
	c.mu.Unlock()
	for _, ref := range refs {
		present := c.config.Store.Has(ref)
		c.change(ref, func(e *entry) { e.copy.Present = present })
	}
}

func (c *Copies) save(ctx context.Context, ref string) {
	c.mu.Lock()
	removals, done := c.entryLocked(ref).removals, c.entryLocked(ref).copy.Present
	c.mu.Unlock()
	if done {
		return
	}
	began := time.Now()
	err := c.copyImage(ctx, ref)
	c.mu.Lock()
	overtaken := c.entryLocked(ref).removals != removals
	c.mu.Unlock()
	switch class := engine.Classify(err); {
	case overtaken:
		if err := c.config.Store.Remove(ref); err != nil {
			c.config.Log.Warn("copy of an image that was replaced not removed", "image", ref, "error", err)
		}
	case err == nil:
		c.config.Log.Info("copy of an installation saved", "image", ref, "took", time.Since(began).Round(time.Millisecond))
		c.change(ref, func(e *entry) { e.copy = observed.SnapshotCopy{Present: true, Loading: e.copy.Loading} })
	case ctx.Err() != nil, class == engine.NotFound:
		// There is nothing to copy, or Run has ended: the next Save requests it again.
	default:
		c.config.Log.Warn("copy of an installation not saved", "image", ref, "error", err, "retry", saveRetry)
		c.change(ref, func(e *entry) { e.saveFailed, e.copy.SaveError = time.Now(), reasonOf(err) })
	}
}

// copyImage has the engine save an image, if there is one and room for it.
func (c *Copies) copyImage(ctx context.Context, ref string) error {
	found, err := c.config.Engine.Image(ctx, ref)
	switch {
	case err != nil:
		return err
	case !found.Present:
		return fmt.Errorf("save image %s: %w", ref, cerrdefs.ErrNotFound)
	}
	if err := c.config.Store.HasRoom(); err != nil {
		return err
	}
	return c.config.Engine.SaveImage(ctx, ref, func(archive io.Reader) error { return c.config.Store.Save(ref, archive) })
}

// reasonOf returns an error in words that are the same each time.
func reasonOf(err error) string {
	if errors.Is(err, ErrNoRoom) {
		return ErrNoRoom.Error()
	}
	return err.Error()
}

func (c *Copies) load(ctx context.Context, ref string) {
	began := time.Now()
	err := c.config.Engine.LoadImage(ctx, func() (io.ReadCloser, error) { return c.config.Store.Load(ref) })
	if err != nil && ctx.Err() == nil {
		c.config.Log.Warn("installation not loaded from its copy", "image", ref, "error", err)
	}
	if err == nil {
		c.config.Log.Info("installation loaded from its copy", "image", ref, "took", time.Since(began).Round(time.Millisecond))
		c.config.Loaded(ref)
	}
	present := c.config.Store.Has(ref)
	c.change(ref, func(e *entry) {
		e.copy.Present, e.copy.Loading, e.copy.LoadError, e.copy.LoadFailedAt = present, false, "", time.Time{}
		if err != nil {
			e.copy.LoadError, e.copy.LoadFailedAt = engine.Message(err), time.Now()
		}
		e.copy.Damaged = e.copy.Damaged && !present || errors.Is(err, ErrDamaged)
	})
}
