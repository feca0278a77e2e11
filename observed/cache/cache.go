package cache

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"

	"lightd/desired/subscribe"
	"lightd/observed"
	"lightd/observed/engine"
)

// Engine is what the cache needs of Docker.
type Engine interface {
	ListAll(ctx context.Context) ([]engine.Listed, error)
	Ping(ctx context.Context) error
	Inspect(ctx context.Context, nameOrID string) (observed.Container, map[string]string, error)
	ContainerEvents(ctx context.Context, since time.Time, opened func(startedAfter time.Time), each func(engine.Event)) error
}

// Config is what to watch and what to notify.
type Config struct {
	Engine Engine
	// Instance is the label by which our containers are known.
	Instance string
	// Changed is called with each id of which there is news: an inspection succeeded, a process
	// ended, the engine became unreachable or reachable. It must not block, and may call the cache.
	Changed func(id string)
	// Resync is how often everything is listed without cause; 0 stands for 5 min. It is
	// spread by a tenth.
	Resync time.Duration
	// Owner, unless nil, checks that the instance is still ours, by the epoch of each container
	// and with each list. An error of it ends Run, and nothing is shown any more.
	Owner Owner
	// Queue counts the inspections that wait; nil for nothing.
	Queue workqueue.MetricsProvider
	// Log is the logger; nil stands for slog.Default().
	Log *slog.Logger
}

// Owner guards the instance.
type Owner interface {
	// Check returns an error for the epoch of a container that another daemon made, Claim a
	// *owner.TakenOverError, or an error of the engine.
	Check(epoch string) error
	Claim(ctx context.Context) error
}

// maxInspections bounds the inspections under way at once. One that takes longer than slowInspection
// counts no more: a container that the engine cannot show delays the inspection of none of the others.
// All have a deadline, so that there is a bound on those too.
const (
	maxInspections = 4
	slowInspection = 500 * time.Millisecond
)

// Cache holds the snapshots. It is safe for concurrent use.
type Cache struct {
	engine   Engine
	instance string
	changed  func(id string)
	owner    Owner
	// abort ends Run.
	abort  context.CancelCauseFunc
	resync time.Duration
	log    *slog.Logger

	queue  workqueue.TypedRateLimitingInterface[string]
	health subscribe.Funcs[bool]
	// notifying is held while subscribers are notified, of one change of health after the other;
	// notified is the number of the last one.
	notifying sync.Mutex
	notified  int

	// suspect requests a list: an inspection got no response.
	suspect chan struct{}

	mu      sync.Mutex
	entries map[string]*entry
	// owners are the ids of runtime containers, by what Docker calls those.
	owners map[string]string
	// foreign is what the last list had of other instances; warned is true once that was logged.
	foreign []observed.Foreign
	warned  bool
	up      bool
	since   time.Time
	// healthChanges counts the times that the engine became unreachable or reachable.
	healthChanges int
	// lost is when the engine's events were last lost.
	lost time.Time
	// startedAfter is the latest time that the engine is known to have started after.
	startedAfter time.Time
	// version is the newest version of an entry.
	version uint64
	// lastEvent is the engine's time of the last event, from which a stream continues: that event
	// comes again.
	lastEvent time.Time
	// tooLarge logs the first event that was too large to be read.
	tooLarge sync.Once
}

// entry is what is known of an id.
type entry struct {
	// seen is the last snapshot, without what holds for all ids alike.
	seen observed.Snapshot
	// due is true when an inspection is requested, for notBefore at the earliest: what is in the queue
	// without it was answered by a list.
	due       bool
	notBefore time.Time
	// expected is true while no inspection begins, as one is about to be requested: see ExpectRefresh.
	expected bool
	// wanted keeps an entry without containers: its id was requested.
	wanted bool
	// listed is true when the last list had a container of it.
	listed bool
	// install is true when an installation's container may exist that is not in seen.
	install bool
	// run is the run container of the last list or inspection: it is found by its id when it
	// lost its name.
	run string
	// installer is the same of an installation's container.
	installer string
	// version is another one after what an inspection under way may have missed: an end that an
	// event has shown, or a loss of events. The result of that inspection is dropped.
	version uint64
	// watched is true when it was observed since events were last lost: an end that is found
	// otherwise has no event.
	watched bool
	// oom is the container that the kernel killed a process of since its last start.
	oom string
	// stopped is the container that the engine has reported a stop of since its last start, killed the
	// one that it has reported a signal for that ends programs, at killedAt.
	stopped, killed string
	killedAt        time.Time
	// detaching are the networks that Docker is about to take the runtime container off, because
	// it has ended.
	detaching []string
}

// New returns a Cache that is empty until Run.
func New(c Config) *Cache {
	return &Cache{
		engine: c.Engine, instance: c.Instance, changed: c.Changed, owner: c.Owner,
		resync: cmp.Or(c.Resync, 5*time.Minute),
		log:    cmp.Or(c.Log, slog.Default()),
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 10*time.Second),
			workqueue.TypedRateLimitingQueueConfig[string]{Name: "inspections", MetricsProvider: c.Queue}),
		suspect: make(chan struct{}, 1),
		entries: map[string]*entry{},
		owners:  map[string]string{},
		since:   time.Now(),
		lost:    time.Now(),
	}
}

// Run keeps the cache until ctx ends. It returns after all that it started has ended, and
// may be called once.
func (c *Cache) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.mu.Lock()
	c.abort = cancel
	c.mu.Unlock()
	var group sync.WaitGroup
	group.Go(func() { c.worker(ctx) })
	c.watch(ctx)
	c.queue.ShutDown()
	group.Wait()
	return context.Cause(ctx)
}

// Fail ends Run with an error. The content of the cache is invalid from then on.
func (c *Cache) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up = false
	if c.abort != nil {
		c.abort(err)
	}
}

// Get returns what is known of an id. It never touches Docker. An id without a container is unknown
// until Refresh requests it.
func (c *Cache) Get(id string) observed.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	var s observed.Snapshot
	if e := c.entries[id]; e != nil {
		s = e.seen
	}
	s.Known = s.Known && c.up
	s.EngineUp, s.EngineLost, s.EngineStartedAfter = c.up, c.lost, c.startedAfter
	return s
}

// IDs returns the ids that have containers of ours, sorted. They are complete once Up reports
// that the engine is up.
func (c *Cache) IDs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for id, e := range c.entries {
		if e.listed || e.seen.Run != nil || e.seen.Install != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Up reports whether the engine answers, and since when it does or does not. It is up
// after the first list, not before.
func (c *Cache) Up() (up bool, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up, c.since
}

// Subscribe makes the cache call fn when the result of Up changes, and once when it is first
// known whether the engine answers; Up shows it already. A change that another one follows at
// once may be left out. fn must not block. It may still be called once while cancel returns.
func (c *Cache) Subscribe(fn func(up bool)) (cancel func()) { return c.health.Add(fn) }

// notify calls the subscribers of the engine's health if it has changed.
func (c *Cache) notify() {
	c.notifying.Lock()
	defer c.notifying.Unlock()
	c.mu.Lock()
	up, changes := c.up, c.healthChanges
	c.mu.Unlock()
	if c.notified != changes {
		c.notified = changes
		c.health.Notify(up)
	}
}

// Refresh requests an inspection of the containers of an id. Changed follows it; while the engine is
// unreachable that is when it is back. The id is kept until Forget.
// Unless install is true, only a known install container is inspected.
func (c *Cache) Refresh(id string, install bool) {
	c.mu.Lock()
	e := c.entryLocked(id)
	e.wanted, e.expected = true, false
	if c.up { // the first list decides what else is due
		e.dueAt(time.Time{})
	}
	e.install = e.install || install
	c.mu.Unlock()
	c.queue.Add(id)
}

// ExpectRefresh leaves all inspections of an id to its next Refresh, which is sure to come: one that somebody who
// changes its containers requests at the end. What events show by themselves is shown meanwhile.
func (c *Cache) ExpectRefresh(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entryLocked(id).expected = true
}

// Forget drops an id once it has no containers.
func (c *Cache) Forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[id]; e != nil {
		e.wanted = false
		c.dropLocked(id, e)
	}
}

// dropLocked removes an entry that is empty and not requested, unless an inspection is due that may
// change that. The caller holds mu.
func (c *Cache) dropLocked(id string, e *entry) {
	nothing := e.seen.Run == nil && e.seen.Install == nil && !e.listed
	if nothing && !e.wanted && !e.due {
		c.ownLocked(id, e, "")
		delete(c.entries, id)
	}
}

// ownLocked notes which one the runtime container of an id is. The caller holds mu.
func (c *Cache) ownLocked(id string, e *entry, containerID string) {
	if e.run == containerID {
		return
	}
	if c.owners[e.run] == id {
		delete(c.owners, e.run)
	}
	if e.run = containerID; containerID != "" {
		c.owners[containerID] = id
	}
}

// entryLocked returns the entry of an id, a new one if there is none. The caller holds mu.
func (c *Cache) entryLocked(id string) *entry {
	e := c.entries[id]
	if e == nil {
		e = &entry{}
		c.entries[id] = e
		c.renewLocked(e)
	}
	return e
}

// dueAt requests an inspection from a time on; the zero time is at once.
func (e *entry) dueAt(at time.Time) {
	if !e.due || at.Before(e.notBefore) {
		e.due, e.notBefore = true, at
	}
}

// renewLocked gives an entry another version. The caller holds mu.
func (c *Cache) renewLocked(e *entry) {
	c.version++
	e.version = c.version
}

// eventsLost records that events were lost.
func (c *Cache) eventsLost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = time.Now()
	for _, e := range c.entries {
		e.watched, e.oom, e.stopped, e.killed = false, "", "", ""
		c.renewLocked(e)
	}
}
