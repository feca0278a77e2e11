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
	"testing"
	"time"

	"lightd/controller"
	"lightd/controller/datadir"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/cache"
	"lightd/observed/cgroup"
	"lightd/observed/containerio"
	"lightd/observed/engine"
	"lightd/observed/images"
	"lightd/observed/records"
	"lightd/observed/snapshots"
	"lightd/observed/status"
	"lightd/observed/streams"
)

func TestMain(m *testing.M) { eventually.Main(m) }

// wholeInstall are the events of an installation with a script.
const wholeInstall = "Started CreatingContainer ContainerCreated RunningInstallScript InstallScriptComplete SettingUpEntrypoint Ready"

// power requests a start.
func power(c *desired.Container) { c.Power, c.Kill = desired.PowerRunning, false; c.Requests.Start++ }

// tester is what a node needs of a test, whoever runs it.
type tester interface {
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
	controller *controller.Controller
	// saw holds a value when the cache had news since it was last read.
	saw  chan struct{}
	stop func()
	tune []func(*setup)
}

// again starts another node in the place of one that was stopped.
func (n *node) again() *node { return newNode(n.t, n.dir, n.tune...) }

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
	// mounts checks the mounts of a spec on the host; by default all exist.
	mounts func(desired.Spec) error
	// records is called with the stored records before they are read.
	records func(*store.Store, *records.Statuses)
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
	n := &node{t: t, dir: dir, saw: make(chan struct{}, 1), tune: tune}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.log != nil {
		log = slog.New(slog.NewMultiHandler(log.Handler(), o.log))
	}
	if o.quiet != nil {
		log = o.quiet
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	n.store, err = store.Open(filepath.Join(dir, "db"), store.Options{Rules: desired.Rules{Cores: 64, AllowedMounts: []string{os.TempDir()}}, Database: kv.Options{FreeSpace: o.free, Commit: o.commit}})
	must(err)
	n.volumes, err = n.store.Volumes(t.Context(), filepath.Join(dir, "volumes"))
	must(err)
	n.statuses, err = records.OpenStatuses(n.store.DB)
	must(err)
	if o.records != nil {
		o.records(n.store, n.statuses)
	}
	n.journal, err = records.OpenJournal(n.store.DB)
	must(err)
	n.data, err = datadir.Open(filepath.Join(dir, "containers"))
	must(err)
	var files controller.Data = n.data
	if o.files != nil {
		files = o.files(n.data)
	}
	config := engine.Config{Host: o.host, Dial: o.dial, Instance: n.store.Instance(), Log: log}
	if o.dial == nil {
		config.ReadLimits = cgroup.Read
	}
	n.engine, err = engine.New(config)
	must(err)

	var ctrl *controller.Controller
	var cons *containerio.IO
	n.cache = cache.New(cache.Config{Engine: n.engine, Instance: n.store.Instance(), Log: log, Resync: o.resync,
		Changed: func(id string) {
			cons.Notify(id)
			ctrl.Enqueue(id)
			select {
			case n.saw <- struct{}{}:
			default:
			}
		}})
	imgs := images.New(images.Config{Engine: n.engine, Log: log, Changed: func(ref string) { ctrl.EnqueueImage(ref) }})
	n.images = imgs
	cons = containerio.New(containerio.Config{Source: streams.NewDocker(n.engine), Targets: n.cache, Log: log,
		Changed: func(id string) { ctrl.Enqueue(id) }})
	n.stored, err = snapshots.Open(filepath.Join(dir, "snapshots"), snapshots.Options{FreeSpace: o.free, Log: log})
	must(err)
	n.copies = snapshots.New(snapshots.Config{Engine: n.engine, Store: n.stored, Log: log, Loaded: imgs.Refresh,
		Changed: func(ref string) { ctrl.EnqueueImage(ref) }})
	ctrl = controller.New(controller.Config{
		Stores: controller.Stores{Store: n.store, Statuses: n.statuses, Journal: n.journal},
		Docker: controller.Docker{Engine: n.engine, Cache: n.cache, EngineHealth: n.cache, Images: imgs, Snapshots: n.copies, Console: cons},
		Host: controller.Host{
			Data: files, VolumePath: n.volumes.Path, CheckMounts: o.mounts, Logs: blueprint.Logs("10m", 3), LocalPorts: o.host == "",
		},
		Timing: controller.Timing{InstallTimeout: o.install, CollectEvery: o.collect, OrphanGrace: cmp.Or(o.grace, time.Millisecond)},
		Log:    log,
	})
	n.controller = ctrl
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 5)
	run := func(fn func()) { go func() { fn(); done <- struct{}{} }() }
	run(func() { _ = n.cache.Run(ctx) })
	run(func() { _ = imgs.Run(ctx) })
	run(func() { _ = n.copies.Run(ctx) })
	run(func() { _ = ctrl.Run(ctx) })
	run(func() { ctrl.Collect(ctx) })
	stopped := false
	n.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 5 {
			<-done
		}
		cons.Close()
		must(errors.Join(n.volumes.Close(), n.store.Close(), n.engine.Close()))
	}
	t.Cleanup(n.stop)
	return n
}

// onSim starts a node on a simulated engine that has the test image.
func onSim(t *testing.T, tune ...func(*setup)) (*simengine.Sim, *node) {
	t.Helper()
	sim := simengine.New(simengine.Options{AnyMounts: true})
	t.Cleanup(func() { sim.Close() })
	sim.AddImage(harness.Busybox(), simengine.ImageConfig{})
	socket := filepath.Join(t.TempDir(), "s")
	if err := sim.Serve(socket); err != nil {
		t.Fatal(err)
	}
	return sim, newNode(t, inMemory(t), append(tune, func(o *setup) { o.host = "unix://" + socket })...)
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
	v, err := n.volumes.Create(n.t.Context())
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
	cancel := n.statuses.Subscribe(func(string) {
		select {
		case news <- struct{}{}:
		default:
		}
	})
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
	cancel := n.store.Subscribe(func(string) {
		select {
		case news <- struct{}{}:
		default:
		}
	})
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
