package controller_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lightd/controller"
	"lightd/controller/datadir"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/desired/subscribe"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/cache"
	"lightd/observed/cgroup"
	"lightd/observed/containerio"
	"lightd/observed/engine"
	"lightd/observed/health"
	"lightd/observed/images"
	"lightd/observed/records"
	"lightd/observed/snapshots"
	"lightd/observed/status"
	"lightd/observed/streams"
)

func TestMain(m *testing.M) { eventually.Main(m) }

// wholeInstall are the events of an installation with a script.
const wholeInstall = "Started CreatingContainer ContainerCreated RunningInstallScript InstallScriptComplete SettingUpEntrypoint Ready"

// requestStart is a write of a client.
func requestStart(c *desired.Container) {
	c.Power, c.Kill = desired.PowerRunning, false
	c.Requests.Start++
}

// tester is what a node needs of a test, whoever runs it.
type tester interface {
	Name() string
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Failed() bool
	FailNow()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Skip(args ...any)
	Cleanup(fn func())
	Context() context.Context
	Output() io.Writer
}

// node is a daemon without its HTTP interface, on a real engine.
type node struct {
	t          tester
	dir        string
	store      *store.Store
	volumes    *store.Volumes
	statuses   *records.Statuses
	journal    *records.Journal
	engine     *engine.Engine
	cache      *cache.Cache
	images     *images.Images
	data       *datadir.Dir
	stored     *snapshots.Store
	copies     *snapshots.Copies
	console    *containerio.IO
	prober     *health.Prober
	controller *controller.Controller
	// cacheChanged holds a value when the cache had news since it was last read.
	cacheChanged chan struct{}
	stop         func()
	tune         []func(*setup)
	sharesEngine bool // with the tests that run beside this one
}

// creators has the test that made each container of the shared engine: two tests that made one of
// the same id would be in each other's way, once they run at the same time.
var creators sync.Map

// claim fails a test that makes a container that another one makes too.
func (n *node) claim(id string) {
	n.t.Helper()
	if !n.sharesEngine {
		return
	}
	name, _, _ := strings.Cut(n.t.Name(), "/")
	if other, _ := creators.LoadOrStore(id, name); other != name {
		n.t.Errorf("the container %s is of %s as well", id, other)
	}
}

// restart starts another node in the place of one that was stopped.
func (n *node) restart() *node { return newNode(n.t, n.dir, n.tune...) }

// setup is what a test may choose of a node.
type setup struct {
	// host is the engine's address; empty is the real engine. Where dial is set it leads to
	// the engine instead.
	host string
	dial func(context.Context) (net.Conn, error)
	// free is what the store calls before each commit.
	free func(string) (uint64, error)
	// commit stands around each commit of the database.
	commit func(commit func() error) error
	// files stands before the files of containers.
	files           func(*datadir.Dir) controller.Data
	resync, collect time.Duration
	// install bounds an install script; 0 is the default. grace is that of orphans; 0 is next
	// to none.
	install, grace time.Duration
	// layer bounds what an install script writes; 0 is no bound.
	layer int64
	// disk is the engine's; nil is one that is not known.
	disk func() plan.Disk
	// mounts checks the mounts of a spec on the host; by default all exist.
	mounts func(desired.Spec) error
	// heldPorts returns what sockets of the host hold; nil is not known.
	heldPorts func() []desired.Endpoint
	// chown takes the place of the volumes' own.
	chown func(context.Context, string, store.Owner) (bool, error)
	// network is the network of the containers; the zero value is the default one.
	network blueprint.Network
	// records is called with the stored records before they are read.
	records func(*store.Store, *records.Statuses)
	// checks has the owner's mark read before each act, and the mounts of each start verified.
	checks bool
	// log takes what the node logs, beside the test's own output, and quiet instead of it.
	log   slog.Handler
	quiet *slog.Logger
}

// newNode starts a node in dir, and stops it at the end of the test if it was not.
func newNode(t tester, dir string, tune ...func(*setup)) *node {
	t.Helper()
	o := setup{mounts: func(desired.Spec) error { return nil }}
	for _, fn := range tune {
		fn(&o)
	}
	if o.host == "" && o.dial == nil {
		harness.NeedEngine(t)
	}
	n := &node{t: t, dir: dir, cacheChanged: make(chan struct{}, 1), tune: tune, sharesEngine: o.host == "" && o.dial == nil}
	n.openFiles(o)
	n.connect(o, o.logger(t))
	n.run()
	t.Cleanup(n.stop)
	return n
}

func (o setup) logger(t tester) *slog.Logger {
	if o.quiet != nil {
		return o.quiet
	}
	handler := slog.Handler(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.log != nil {
		handler = slog.NewMultiHandler(handler, o.log)
	}
	return slog.New(handler)
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// openFiles opens the database and the directories of the node.
func (n *node) openFiles(o setup) {
	n.t.Helper()
	var err error
	rules := desired.Rules{AllowedMounts: []string{os.TempDir()}, AllowedImages: []string{"*", harness.Registry(), "127.0.0.1:1"},
		AllowedNetworks: []string{"games", "lightd-test-lan"}}
	n.store, err = store.Open(filepath.Join(n.dir, "db"), store.Options{Rules: rules, Database: kv.Options{FreeSpace: o.free, Commit: o.commit}})
	n.must(err)
	n.volumes, err = n.store.Volumes(n.t.Context(), filepath.Join(n.dir, "volumes"))
	n.must(err)
	n.statuses, err = records.OpenStatuses(n.store.DB)
	n.must(err)
	if o.records != nil {
		o.records(n.store, n.statuses)
	}
	n.journal, err = records.OpenJournal(n.store.DB)
	n.must(err)
	n.data, err = datadir.Open(filepath.Join(n.dir, "containers"))
	n.must(err)
}

// connect makes what observes the engine and acts on it.
func (n *node) connect(o setup, log *slog.Logger) {
	n.t.Helper()
	config := engine.Config{Host: o.host, Dial: o.dial, Instance: n.store.Instance(), Log: log}
	if o.dial == nil {
		config.ReadLimits, config.ReadUnlinked = cgroup.Read, cgroup.Unlinked
	}
	var err error
	n.engine, err = engine.New(config)
	n.must(err)
	if o.checks {
		n.guard()
	}
	enqueue := func(id string) { n.controller.Enqueue(id) }
	enqueueImage := func(ref string) { n.controller.EnqueueImage(ref) }
	n.cache = cache.New(cache.Config{Engine: n.engine, Instance: n.store.Instance(), Log: log, Resync: o.resync,
		Changed: func(id string) {
			n.console.Notify(id)
			n.prober.Notify(id)
			enqueue(id)
			subscribe.Wake(n.cacheChanged)
		}})
	pulled := records.OpenPulled(n.store.DB)
	n.images = images.New(images.Config{Engine: n.engine, Pulled: pulled, List: n.engine, Log: log, Changed: enqueueImage})
	n.console = containerio.New(containerio.Config{Source: streams.NewDocker(n.engine), Targets: n.cache, Log: log, Changed: enqueue})
	n.prober = health.New(health.Config{
		Sources: health.Sources{Spec: n.store.Container, Seen: n.cache.Get, Status: n.statuses.Get, Image: n.images.Known},
		Exec:    n.engine, Changed: enqueue,
	})
	n.store.Subscribe(n.prober.Notify)
	n.statuses.Subscribe(n.prober.Notify)
	n.stored, err = snapshots.Open(filepath.Join(n.dir, "snapshots"), snapshots.Options{FreeSpace: o.free, Log: log})
	n.must(err)
	n.copies = snapshots.New(snapshots.Config{Engine: n.engine, Store: n.stored, Log: log, Loaded: n.images.Refresh, Changed: enqueueImage})
	var files controller.Data = n.data
	if o.files != nil {
		files = o.files(n.data)
	}
	chown := n.volumes.Chown
	if o.chown != nil {
		chown = o.chown
	}
	var pins func([]observed.Mount) (controller.MountPins, error)
	if o.checks {
		pins = func([]observed.Mount) (controller.MountPins, error) { return verifiedPins{}, nil }
	}
	n.controller = controller.New(controller.Config{
		Stores: controller.Stores{Store: n.store, Statuses: n.statuses, Journal: n.journal},
		Docker: controller.Docker{Engine: n.engine, Cache: n.cache, EngineHealth: n.cache, Images: n.images, Pulled: pulled, Snapshots: n.copies, Console: n.console, Health: n.prober},
		Host: controller.Host{
			Data: files, VolumePath: n.volumes.Path, ChownVolume: chown, HandOverVolume: n.volumes.HandOver, CheckMounts: o.mounts, PinMounts: pins, Logs: blueprint.Logs("10m", 3), LocalPorts: o.host == "" || o.heldPorts != nil, HeldPorts: o.heldPorts,
			Network: o.network, EngineDisk: o.disk,
		},
		Timing:          controller.Timing{InstallTimeout: o.install, CollectEvery: o.collect, OrphanGrace: cmp.Or(o.grace, time.Millisecond)},
		MaxInstallation: o.layer,
		Log:             log,
	})
}

// run starts the node, and sets what stops it.
func (n *node) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{n.cache.Run, n.images.Run, n.copies.Run, n.controller.Run, n.prober.Run} {
		running.Go(func() { _ = run(ctx) })
	}
	running.Go(func() { n.controller.Collect(ctx) })
	stopped := false
	n.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		running.Wait()
		n.console.Close()
		n.must(errors.Join(n.volumes.Close(), n.store.Close(), n.engine.Close()))
	}
}

// onSim starts a node on a simulated engine that has the test image.
func onSim(t *testing.T, tune ...func(*setup)) (*simengine.Sim, *node) {
	t.Helper()
	return onSimWith(t, simengine.Options{}, tune...)
}

// onSimWith is onSim with options of the engine.
func onSimWith(t *testing.T, options simengine.Options, tune ...func(*setup)) (*simengine.Sim, *node) {
	t.Helper()
	options.AnyMounts = true
	sim, host := harness.SimHost(t, options, harness.Busybox())
	return sim, newNode(t, harness.MemoryDir(t), append(tune, func(o *setup) { o.host = host })...)
}

// clean removes, at the end, whatever of the instance is left in Docker.
func (n *node) clean() {
	e, err := engine.New(engine.Config{Instance: n.store.Instance()})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		n.stop()
		ctx := context.Background()
		listed, err := e.List(ctx)
		if err != nil {
			n.t.Error(err)
		}
		for _, l := range listed {
			_ = e.Remove(ctx, l.ContainerID)
		}
		tagged, _ := e.Images(ctx)
		for _, i := range tagged {
			_ = e.RemoveImage(ctx, i.Ref)
		}
		_ = e.Close()
	})
}

// create makes a volume and a container in it.
func (n *node) create(id string, change func(*desired.Spec)) desired.Container {
	n.t.Helper()
	n.claim(id)
	v, err := n.volumes.Create(n.t.Context(), store.Creator{})
	if err != nil {
		n.t.Fatal(err)
	}
	s := desired.DefaultSpec()
	s.InternalID, s.Image, s.VolumeID = id, harness.Busybox(), v.ID
	s.StartupCommand = "while :; do echo tick; sleep 1; done"
	if change != nil {
		change(&s)
	}
	c, err := n.store.Create(n.t.Context(), s)
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

func (n *node) change(id string, fn func(*desired.Container)) desired.Container {
	n.t.Helper()
	c, err := n.store.Change(n.t.Context(), id, func(c *desired.Container) error { fn(c); return nil })
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// wait returns the status once it is what fn wants. It checks after each notification, and by a
// clock, for what fn may request from the engine.
func (n *node) wait(id, what string, fn func(status.Status) bool) status.Status {
	n.t.Helper()
	news := make(chan struct{}, 1)
	cancel := n.statuses.Subscribe(func(string) { subscribe.Wake(news) })
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(harness.Patience)
	for {
		st, ok := n.statuses.Get(id)
		if wrong := contradiction(st); wrong != "" {
			n.t.Errorf("%s: %s", id, wrong)
		}
		if ok && fn(st) {
			return st
		}
		select {
		case <-news:
		case <-tick.C:
		case <-deadline:
			n.t.Fatalf("%s: not %s after %s; events %v, status %+v", id, what, harness.Patience, n.events(id), st)
		}
	}
}

func (n *node) waitState(id string, s status.State) status.Status {
	n.t.Helper()
	return n.wait(id, string(s), func(st status.Status) bool { return st.State == s })
}

func (n *node) waitSynced(c desired.Container) status.Status {
	n.t.Helper()
	return n.wait(c.InternalID, "observed", func(st status.Status) bool {
		return st.ObservedGeneration >= c.Generation
	})
}

func (n *node) events(id string) string {
	page, _, err := n.journal.Page(id, 0, 1000)
	if err != nil {
		n.t.Fatal(err)
	}
	var types []string
	for _, e := range page {
		types = append(types, string(e.Type))
	}
	return strings.Join(types, " ")
}

func (n *node) inspect(id string) observed.Container {
	n.t.Helper()
	c, _, err := n.engine.Inspect(n.t.Context(), observed.RunName(id))
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// gone waits until the store has deleted id.
func (n *node) gone(id string) {
	n.t.Helper()
	news := make(chan struct{}, 1)
	cancel := n.store.Subscribe(func(string) { subscribe.Wake(news) })
	defer cancel()
	deadline := time.After(harness.Patience)
	for {
		if _, ok := n.store.Container(id); !ok {
			return
		}
		select {
		case <-news:
		case <-deadline:
			n.t.Fatalf("%s: not gone after %s; events %s", id, harness.Patience, n.events(id))
		}
	}
}

// runs counts the lines that install scripts have left in the file of that name.
func (n *node) runs(c desired.Container) int {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.volumes.Path(c.VolumeID), "runs"))
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

// pollUntil waits for what no channel notifies of: the state of the simulated engine.
func pollUntil(t tester, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(eventually.Bound)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not after %s: %s", eventually.Bound, what)
		}
	}
}

// awaitCalls waits until so many calls have awaitCalls a rule.
func awaitCalls(t *testing.T, rule *simengine.Injected, calls int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Bound)
	defer cancel()
	if err := rule.Await(ctx, calls); err != nil {
		t.Fatalf("%d calls in %s, want %d", rule.Hits(), eventually.Bound, calls)
	}
}
