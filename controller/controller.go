package controller

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/workqueue"

	"lightd/controller/datadir"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/subscribe"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
	"lightd/observed/records"
	"lightd/observed/startpattern"
	"lightd/observed/status"
	"lightd/observed/streams"
)

// Cache is the live cache of containers.
type Cache interface {
	Get(id string) observed.Snapshot
	// IDs are those that have containers.
	IDs() []string
	// Refresh makes the cache inspect the run container of id again, with install its install
	// container too, and call Enqueue afterwards.
	Refresh(id string, install bool)
	// ExpectRefresh makes it inspect neither before that.
	ExpectRefresh(id string)
	Forget(id string)
}

// KnownImages is what is known of images.
type KnownImages interface {
	Known(ref string) observed.Image
}

// Images is what is known of images, and the pulls.
type Images interface {
	KnownImages
	// Image is Known, and inspects an image that is not known yet.
	Image(ref string) observed.Image
	// Refresh makes it inspect ref again, Pull begins a pull that others may share.
	// EnqueueImage is called when either has news.
	Refresh(ref string)
	Pull(ref string)
	// Retain drops the images that are not needed.
	Retain(needed func(ref string) bool)
}

// Snapshots is the copies of the images that keep installations; see snapshots.Copies.
type Snapshots interface {
	Copy(ref string) observed.SnapshotCopy
	// Save and Load begin what others do in the background. EnqueueImage is called when it ends.
	Save(ref string)
	Load(ref string)
	Remove(ref string) error
	Retain(needed func(ref string) bool)
}

// Console is the streams of containers.
type Console interface {
	Prepare(ctx context.Context, id string, t streams.Target) error
	Started(id string, t streams.Target)
	Expect(id string, t streams.Target, run startpattern.Run, pattern string) error
	Matched(id, containerID string, startedAt time.Time) bool
	WriteLine(ctx context.Context, id, command string) error
	Forget(id string)
}

// Health is what the health checks find; see health.Prober.
type Health interface {
	Result(id string, run status.RunID) observed.Health
}

// Data is the files of containers; see datadir.Dir.
type Data interface {
	Path(id string) string
	// ImageVolumes is the directory of what is below the VOLUME paths of the images of id, and
	// MakeImageVolume makes one in it.
	ImageVolumes(id string) string
	MakeImageVolume(id, directory string, who datadir.Identity) error
	EntrypointOK(s desired.Spec) bool
	Make(id string) error
	WriteEntrypoint(s desired.Spec) error
	WriteInstaller(s desired.Spec, who datadir.Identity) error
	ClearInstaller(id string, handedOver bool) error
	InstallBegan(id string) (time.Time, error)
	SaveInstallLog(id string, output io.Reader) error
	Remove(ctx context.Context, id string) error
}

// Config is what a Controller works with. Everything without a default is required.
type Config struct {
	Stores
	Docker
	Host
	Timing
	// MaxInstallation bounds the bytes that an install script writes outside of its mounts; 0 is no
	// bound.
	MaxInstallation int64
	// Workers decide; they wait for nothing but the database (default 4).
	Workers int
	// Metrics counts the work, Queue the keys, and Tracer traces the work; nil for nothing.
	Metrics Metrics
	Tracer  Tracer
	Queue   workqueue.MetricsProvider
	Log     *slog.Logger
}

// Metrics counts reconciles, steps and restarts. Its methods must not block.
type Metrics interface {
	ReconcileEnded(took time.Duration, err error)
	StepEnded(kind plan.Kind, took time.Duration, err error)
	// Restarted is called with one of RestartCauses.
	Restarted(cause string)
}

// noMetrics counts nothing.
type noMetrics struct{}

func (noMetrics) ReconcileEnded(time.Duration, error)       {}
func (noMetrics) StepEnded(plan.Kind, time.Duration, error) {}
func (noMetrics) Restarted(string)                          {}

// Tracer traces reconciles and the steps that they start. Its methods must not block, and return the context of
// what has begun, and a function that is called at its end.
type Tracer interface {
	// StartReconcile is called with the number that the log has.
	StartReconcile(ctx context.Context, id string, number uint64) (context.Context, func(error))
	// Decided is called with the context of a reconcile, before its step is started.
	Decided(ctx context.Context, spec desired.Container, d plan.Decision)
	StartStep(ctx context.Context, spec desired.Container, s plan.Step) (context.Context, func(error))
}

// noTracer traces nothing.
type noTracer struct{}

func untraced(error) {}

func (noTracer) StartReconcile(ctx context.Context, _ string, _ uint64) (context.Context, func(error)) {
	return ctx, untraced
}
func (noTracer) Decided(context.Context, desired.Container, plan.Decision) {}
func (noTracer) StartStep(ctx context.Context, _ desired.Container, _ plan.Step) (context.Context, func(error)) {
	return ctx, untraced
}

// Stores is where what is desired and what was observed is kept.
type Stores struct {
	Store    *store.Store
	Statuses *records.Statuses
	Journal  *records.Journal
}

// Docker is the engine, and what is known of it.
type Docker struct {
	Engine *engine.Engine
	Cache  Cache
	// EngineHealth reports when the engine goes and comes back.
	EngineHealth EngineHealth
	Images       Images
	// Pulled is what is recorded of the images that Images has brought; nil for nothing.
	Pulled    PulledImages
	Snapshots Snapshots
	Console   Console
	// Health is what health checks find; nil where there are none.
	Health Health
}

// Host is what this host has for containers.
type Host struct {
	Data Data
	// Cores is how many it has: a limit of more is one of these. 0 is unknown.
	Cores int
	// VolumePath returns the host's directory of a volume.
	VolumePath func(volumeID string) string
	// Quota returns what is known of the quota of a volume; nil where there are none.
	Quota func(volumeID string) observed.VolumeQuota
	// ChownVolume gives a volume to a user of the host; nil leaves all to whom they belong.
	ChownVolume func(ctx context.Context, volumeID string, to store.Owner) (given bool, err error)
	// HandOverVolume gives what one user has made in a volume since a time to another one; nil gives nothing.
	HandOverVolume func(ctx context.Context, volumeID string, h store.Handover) error
	// CheckMounts checks the mounts of a spec against the host; the error is a
	// *desired.ValidationError, or of the engine, where that is asked for its own places.
	CheckMounts func(desired.Spec) error
	// PinMounts pins the sources of mounts before a start, to compare them with what was
	// mounted; nil where the engine is on another host.
	PinMounts func([]observed.Mount) (MountPins, error)
	// Logs is how Docker keeps the output of the containers that are made.
	Logs observed.Log
	// Capabilities are what root has in the containers that are made.
	Capabilities blueprint.Capabilities
	// Network is the network that Lightd makes and the containers are on; the zero value is
	// blueprint.DefaultNetwork.
	Network blueprint.Network
	// Firewall is what keeps containers from the host; nil where there is none.
	Firewall Firewall
	// EngineDisk returns what is left on the disk of the engine's layers, without a call of the engine; nil
	// where the engine is on another host.
	EngineDisk func() plan.Disk
	// LocalPorts is true when the engine binds the ports of this very host, so that
	// they can be tried beforehand.
	LocalPorts bool
	// HeldPorts returns the endpoints of this host on which a socket listens now, see LocalEndpoints; nil where
	// the engine binds those of another host.
	HeldPorts func() []desired.Endpoint
}

// Firewall keeps what containers may reach; see package firewall.
type Firewall interface {
	// Ensure is called before each start, with the addresses of the interface of Lightd's network,
	// if they are known. Its error ends the start.
	Ensure(gateways ...string) error
}

// Timing is how long what may take, and how often what is done.
type Timing struct {
	// InstallTimeout bounds an install script (default 10 min), DatabaseTimeout a
	// transaction (default 5 s).
	InstallTimeout, DatabaseTimeout time.Duration
	// CollectEvery is how often the garbage collection runs, and how often what no event reports
	// is read again (default 5 min), OrphanGrace how long a container without a spec is kept
	// (default 1 min).
	CollectEvery, OrphanGrace time.Duration
}

// Controller drives every container to its spec. Run it once.
type Controller struct {
	*executor
	queue workqueue.TypedRateLimitingInterface[string]
	// reconciles counts the reconciles, whose numbers are in the log.
	reconciles atomic.Uint64
	watchdog   watchdog
	slots      *slots
	steps      sync.WaitGroup
	gcTrigger  chan struct{}
	// removeUnusedAfter is in nanoseconds, 0 for never.
	removeUnusedAfter atomic.Int64
	// healthChanged holds a value when the engine went or came, until unsubscribeHealth.
	healthChanged     chan struct{}
	unsubscribeHealth func()
	// cordonChanged holds a value when the cordon of the node was written, or a drain may go on.
	cordonChanged chan struct{}
	// portsAwaited holds a value when a container has begun to wait for a port.
	portsAwaited chan struct{}

	mu   sync.Mutex
	keys map[string]*keyState
}

// New returns a Controller that does nothing until it is Run; Enqueue may be called
// from now on.
func New(cfg Config) *Controller {
	if cfg.InstallTimeout == 0 {
		cfg.InstallTimeout = 10 * time.Minute
	}
	if cfg.DatabaseTimeout == 0 {
		cfg.DatabaseTimeout = 5 * time.Second
	}
	if cfg.CollectEvery == 0 {
		cfg.CollectEvery = 5 * time.Minute
	}
	if cfg.OrphanGrace == 0 {
		cfg.OrphanGrace = time.Minute
	}
	if cfg.Network == (blueprint.Network{}) {
		cfg.Network = blueprint.DefaultNetwork
	}
	if cfg.Workers == 0 {
		cfg.Workers = 4
	}
	if cfg.Metrics == nil {
		cfg.Metrics = noMetrics{}
	}
	if cfg.Tracer == nil {
		cfg.Tracer = noTracer{}
	}
	c := &Controller{executor: newExecutor(cfg), keys: map[string]*keyState{}, gcTrigger: make(chan struct{}, 1), cordonChanged: make(chan struct{}, 1), portsAwaited: make(chan struct{}, 1)}
	c.queue = workqueue.NewTypedRateLimitingQueueWithConfig(newLimiter(),
		workqueue.TypedRateLimitingQueueConfig[string]{Name: "containers", MetricsProvider: cfg.Queue})
	c.slots = newSlots(c.Enqueue)
	c.healthChanged = make(chan struct{}, 1)
	c.unsubscribeHealth = cfg.EngineHealth.Subscribe(func(bool) { subscribe.Wake(c.healthChanged) })
	return c
}

// EnqueueImage enqueues all keys that may wait for an image, given by name or id.
func (c *Controller) EnqueueImage(ref string) {
	for _, spec := range c.cfg.Store.Containers() {
		if slices.Contains(c.imagesOf(spec), ref) {
			c.Enqueue(spec.InternalID)
		}
	}
}

// imagesOf are the images, by name or id, that decisions on a container rest on.
func (c *Controller) imagesOf(spec desired.Container) []string {
	st, _ := c.cfg.Statuses.Get(spec.InternalID)
	images := []string{spec.Image, st.Install.Snapshot, plan.InstallImage(spec, st)}
	if run := c.cfg.Cache.Get(spec.InternalID).Run; run != nil {
		images = append(images, run.ImageID)
	}
	return images
}

// Run works until ctx ends, and returns when every worker and step has. Steps in flight
// are cut off: what they did is found out at the next start.
func (c *Controller) Run(ctx context.Context) error {
	unsubscribe := c.cfg.Store.Subscribe(c.Enqueue)
	defer unsubscribe()
	for _, spec := range c.cfg.Store.Containers() {
		c.Enqueue(spec.InternalID)
	}
	defer c.unsubscribeHealth()
	var workers sync.WaitGroup
	workers.Go(func() { c.watchEngineHealth(ctx) })
	workers.Go(func() { c.watchSpace(ctx) })
	workers.Go(func() { c.watchCordon(ctx) })
	workers.Go(func() { c.watchPorts(ctx) })
	workers.Go(func() { c.watchdog.run(ctx, c.queue.Len) })
	for range c.cfg.Workers {
		workers.Go(func() {
			for c.work(ctx) {
			}
		})
	}
	<-ctx.Done()
	c.queue.ShutDown()
	workers.Wait()
	c.steps.Wait()
	return context.Cause(ctx)
}

// Close ends the queue of a controller that was never Run.
func (c *Controller) Close() {
	c.unsubscribeHealth()
	c.queue.ShutDown()
}

// SetLogs changes how Docker keeps the output of the containers that are made from now on.
func (c *Controller) SetLogs(logs observed.Log) { c.logs.Store(&logs) }
