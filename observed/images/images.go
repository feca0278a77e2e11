package images

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distribution/reference"
	"k8s.io/client-go/util/workqueue"

	"lightd/observed"
	"lightd/observed/engine"
)

// Engine is what is needed of Docker.
type Engine interface {
	Image(ctx context.Context, ref string) (observed.Image, error)
	Pull(ctx context.Context, ref string, progress func(engine.Progress)) error
	ImageEvents(ctx context.Context, opened func(), each func(engine.Event)) error
}

// Config is how images are known and pulled.
type Config struct {
	Engine Engine
	// Changed is called with each reference of which there is news. It must not block, and
	// may call Images.
	Changed func(ref string)
	// CheckRegistry, unless nil, is called right before a pull, which fails with its error.
	CheckRegistry func(ctx context.Context, ref string) error
	// Stall bounds how long a pull may wait for its registry without progress; 0 stands for 1 min.
	Stall time.Duration
	// Timeout bounds how long one may be without progress whatever it waits for; 0 stands for 10 min.
	// A pull that lasts longer gives its place to another one, and goes on beside.
	Timeout time.Duration
	// Parallel bounds the pulls at once, but for those that last longer than Timeout; 0 stands for 3.
	Parallel int
	// Pulled records the images that pulls have brought, which List tells from those that were there; nil
	// for nothing.
	Pulled Pulled
	List   Lister
	// Queue counts what waits; nil for nothing.
	Queue workqueue.MetricsProvider
	// Log takes what is worth knowing; nil stands for slog.Default().
	Log *slog.Logger
}

// lookers bounds the inspections under way at once.
const lookers = 2

// auditEvery is how often the missing images are inspected without cause, with one in auditShare of
// the rest, those first whose last inspection is the longest ago: an event of their change may
// have been lost.
const (
	auditEvery = 5 * time.Minute
	auditShare = 12
)

// progressEvery is how often at most the progress of a pull is published: each time, every
// container that waits for it has its status written.
const progressEvery = 2 * time.Second

// leastProgress is how many bytes a download must bring within Config.Stall to be one that goes on: a
// registry must not hold a pull with a byte a minute.
const leastProgress = 16 << 10

// Images holds what is known. It is safe for concurrent use.
type Images struct {
	config      Config
	inspections workqueue.TypedRateLimitingInterface[string]
	pulls       workqueue.TypedInterface[string]

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is what is known of a reference. News counts the events about it: an inspection that began
// before one of them may have missed its change.
type entry struct {
	image observed.Image
	news  int
	at    time.Time // of the last inspection
	// pullBegan and pullEnded are those of the last pull.
	pullBegan, pullEnded time.Time
}

// New returns Images that are empty and pull nothing until Run.
func New(c Config) *Images {
	c.Timeout = cmp.Or(c.Timeout, 10*time.Minute)
	c.Stall = min(cmp.Or(c.Stall, time.Minute), c.Timeout)
	c.Parallel = cmp.Or(c.Parallel, 3)
	c.Log = cmp.Or(c.Log, slog.Default())
	return &Images{
		config: c,
		inspections: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 10*time.Second),
			workqueue.TypedRateLimitingQueueConfig[string]{Name: "images", MetricsProvider: c.Queue}),
		pulls:   workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Name: "pulls", MetricsProvider: c.Queue}),
		entries: map[string]*entry{},
	}
}

// Run inspects and pulls until ctx ends; pulls in progress end with it. It returns after all
// that it started has ended, and may be called once.
func (i *Images) Run(ctx context.Context) error {
	var group sync.WaitGroup
	for range lookers {
		group.Go(func() { work(i.inspections, func(ref string) { i.inspect(ctx, ref) }) })
	}
	for range i.config.Parallel {
		group.Go(func() { work(i.pulls, func(ref string) { i.startPull(ctx, ref, &group) }) })
	}
	group.Go(func() { i.resyncSample(ctx) })
	engine.Repeat(ctx, func(ctx context.Context) {
		err := i.config.Engine.ImageEvents(ctx, i.refreshAll, func(ev engine.Event) {
			i.handle(ev)
			i.observePull(ctx, ev)
		})
		if ctx.Err() == nil {
			i.config.Log.Debug("image event stream ended", "error", err)
		}
	})
	i.inspections.ShutDown()
	i.pulls.ShutDown()
	group.Wait()
	return context.Cause(ctx)
}

// startPull pulls, and returns when that has ended or has lasted so long that another one may begin.
func (i *Images) startPull(ctx context.Context, ref string, group *sync.WaitGroup) {
	ended := make(chan struct{})
	group.Go(func() {
		defer close(ended)
		i.pull(ctx, ref)
	})
	place := time.NewTimer(i.config.Timeout)
	defer place.Stop()
	select {
	case <-ended:
	case <-place.C:
	}
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

// Image returns what is known of a reference. The first time it requests it in the background.
func (i *Images) Image(ref string) observed.Image {
	i.mu.Lock()
	e, known := i.entries[ref]
	if !known {
		e = &entry{}
		i.entries[ref] = e
	}
	image := e.image
	i.mu.Unlock()
	if !known {
		i.inspections.Add(ref)
	}
	return image
}

// Known returns what is known of a reference, and requests nothing.
func (i *Images) Known(ref string) observed.Image {
	i.mu.Lock()
	defer i.mu.Unlock()
	if e := i.entries[ref]; e != nil {
		return e.image
	}
	return observed.Image{}
}

// Refresh inspects a reference again, which is unknown until then: what was observed
// before is not what the caller has just done to it. Changed follows.
func (i *Images) Refresh(ref string) {
	i.mu.Lock()
	e := i.entryLocked(ref)
	e.news++
	e.image.Known = false
	i.mu.Unlock()
	i.inspections.Add(ref)
}

// Pull ensures that a pull of the reference runs or waits for its turn. Changed follows
// when it has ended.
func (i *Images) Pull(ref string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	e := i.entryLocked(ref)
	if e.image.Pulling {
		return
	}
	e.image.Pulling = true
	i.pulls.Add(ref)
}

// entryLocked returns the entry of a reference, a new one if there is none. The caller holds mu.
func (i *Images) entryLocked(ref string) *entry {
	e := i.entries[ref]
	if e == nil {
		e = &entry{}
		i.entries[ref] = e
	}
	return e
}

// Retain drops the references that are not needed, and with them their cost. One that is requested
// all the same is new.
func (i *Images) Retain(needed func(ref string) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	maps.DeleteFunc(i.entries, func(ref string, e *entry) bool { return !e.image.Pulling && !needed(ref) })
}

// inspect inspects a reference in Docker, unless it was dropped.
func (i *Images) inspect(ctx context.Context, ref string) {
	i.mu.Lock()
	e := i.entries[ref]
	if e == nil {
		i.mu.Unlock()
		i.inspections.Forget(ref)
		return
	}
	before := e.news
	i.mu.Unlock()
	found, err := i.config.Engine.Image(ctx, ref)
	if err != nil {
		if ctx.Err() == nil {
			i.config.Log.Debug("cannot inspect image", "image", ref, "error", err)
			i.inspections.AddRateLimited(ref)
		}
		return
	}
	i.mu.Lock()
	if e.news != before {
		i.mu.Unlock()
		i.inspections.Add(ref)
		return
	}
	e.show(found)
	i.mu.Unlock()
	i.inspections.Forget(ref)
	i.config.Changed(ref)
}

// show applies the result of an inspection, and keeps what is known of pulls.
func (e *entry) show(found observed.Image) {
	e.at = time.Now()
	was := e.image
	e.image = found
	e.image.Pulling, e.image.PulledBytes, e.image.PullTotal = was.Pulling, was.PulledBytes, was.PullTotal
	e.image.PulledAt, e.image.PullError, e.image.PullForbidden = was.PulledAt, was.PullError, was.PullForbidden
	e.image.PullRefused, e.image.PullFailedAt, e.image.PullFailures = was.PullRefused, was.PullFailedAt, was.PullFailures
}

// pull runs one pull and shows how it ended together with the image that it brought.
func (i *Images) pull(ctx context.Context, ref string) {
	before := i.before(ctx)
	i.mu.Lock()
	i.entryLocked(ref).pullBegan = time.Now()
	i.mu.Unlock()
	err := i.fetch(ctx, ref)
	var found observed.Image
	if err == nil {
		found, err = i.config.Engine.Image(ctx, ref)
	}
	if err == nil {
		i.recordPulled(ctx, ref, found.ImageID, before)
	}
	i.mu.Lock()
	e := i.entryLocked(ref)
	e.pullEnded = time.Now()
	e.image.Pulling, e.image.PulledBytes, e.image.PullTotal = false, 0, 0
	switch {
	case err == nil:
		e.show(found)
		e.news++
		e.image.PullError, e.image.PullForbidden, e.image.PullRefused, e.image.PullFailedAt, e.image.PullFailures = "", false, false, time.Time{}, 0
		e.image.PulledAt = time.Now()
	case ctx.Err() == nil:
		failure := failureOf(ref, err)
		i.logFailure(ref, e.image, failure, err)
		e.image.PullError, e.image.PullForbidden, e.image.PullRefused = failure, isForbidden(err), faultOf(err).Answered()
		e.image.PullFailedAt = time.Now()
		e.image.PullFailures++
	}
	i.mu.Unlock()
	i.config.Changed(ref)
}

// fetch pulls for as long as the pull makes progress.
func (i *Images) fetch(ctx context.Context, ref string) error {
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	var local atomic.Bool
	stall := time.AfterFunc(i.config.Stall, func() {
		if local.Load() {
			abort(stalledError(observed.PullStalledHere))
		}
		abort(stalledError(observed.PullStalled))
	})
	defer stall.Stop()
	if check := i.config.CheckRegistry; check != nil {
		if err := check(ctx, ref); err != nil {
			return err
		}
	}
	var last engine.Progress
	told := time.Now()
	err := i.config.Engine.Pull(ctx, ref, func(p engine.Progress) {
		if p.Changes != last.Changes || p.Current-last.Current >= leastProgress || p.Local != last.Local {
			last = p
			local.Store(p.Local)
			stall.Reset(i.patience(p))
		}
		if time.Since(told) >= progressEvery && i.advance(ref, p) {
			told = time.Now()
			i.config.Changed(ref)
		}
	})
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return errors.Join(cause, err)
	}
	return err
}

// patience is how long a pull may go without progress.
func (i *Images) patience(p engine.Progress) time.Duration {
	if p.Local {
		return i.config.Timeout
	}
	return i.config.Stall
}

// advance shows how far a pull has come. It reports whether that is news.
func (i *Images) advance(ref string, p engine.Progress) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	image := &i.entryLocked(ref).image
	if image.PulledBytes == p.Current && image.PullTotal == p.Total {
		return false
	}
	image.PulledBytes, image.PullTotal = p.Current, p.Total
	return true
}

// refreshAll inspects every known reference: events about them may have been missed.
func (i *Images) refreshAll() { i.invalidate(func(string, *entry) bool { return true }) }

// resyncSample inspects at intervals, until ctx ends, what no event was about.
func (i *Images) resyncSample(ctx context.Context) {
	ticker := time.NewTicker(auditEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			oldest := i.oldest()
			i.invalidate(func(ref string, e *entry) bool { return e.image.Known && !e.image.Present || oldest[ref] })
		}
	}
}

// oldest returns the share of the present references whose last inspection is the longest ago.
func (i *Images) oldest() map[string]bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	var present []string
	for ref, e := range i.entries {
		if e.image.Present {
			present = append(present, ref)
		}
	}
	slices.SortFunc(present, func(a, b string) int {
		return cmp.Or(i.entries[a].at.Compare(i.entries[b].at), cmp.Compare(a, b))
	})
	oldest := map[string]bool{}
	for _, ref := range present[:(len(present)+auditShare-1)/auditShare] {
		oldest[ref] = true
	}
	return oldest
}

// handle has the references inspected that an event of Docker is about.
func (i *Images) handle(ev engine.Event) {
	switch ev.Action {
	case "pull", "tag", "untag", "delete", "import", "load":
	default:
		return
	}
	name, id := Canonical(ev.Attributes["name"]), Canonical(ev.ID)
	nameless := ev.Action == "load" || ev.Action == "import"
	i.invalidate(func(ref string, e *entry) bool {
		if e.image.ImageID == ev.ID && ev.ID != "" || nameless && !e.image.Present {
			return true
		}
		ref = Canonical(ref)
		return ref != "" && (ref == name || ref == id)
	})
}

// invalidate queues the references that about selects for an inspection.
func (i *Images) invalidate(about func(ref string, e *entry) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for ref, e := range i.entries {
		if about(ref, e) {
			e.news++
			i.inspections.Add(ref)
		}
	}
}

// Canonical returns a reference in full, and "" for what is none. Beside a digest the engine ignores a tag.
func Canonical(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	if digested, is := named.(reference.Digested); is {
		return reference.TrimNamed(named).String() + "@" + digested.Digest().String()
	}
	return reference.TagNameOnly(named).String()
}
