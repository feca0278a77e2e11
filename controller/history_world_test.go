package controller_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/journal"
)

// The images of histories: the first two are there, the third has to be pulled.
const (
	imageA = "lightd-test/busybox:latest"
	imageB = "lightd-test/other:latest"
	imageC = "lightd-test/far:latest"
)

// pool holds two ports that overlap, and two that do not.
var pool = []desired.Endpoint{
	{IP: "127.0.0.1", Port: 30001, Protocol: desired.TCP},
	{IP: "0.0.0.0", Port: 30001, Protocol: desired.TCP},
	{IP: "127.0.0.1", Port: 30002, Protocol: desired.TCP},
	{IP: "127.0.0.1", Port: 30001, Protocol: desired.UDP},
}

// book is what is written down of a container since it was created.
type book struct {
	id string
	// volume is its own: each creation gets another one.
	volume string
	// acked is it as the last write that was acknowledged has left it.
	acked desired.Container
	// causes counts what may have started its program once each.
	causes int
	// restart is how often its program had been started when the last restart was acknowledged.
	restart int
	// spoilt is true when its installation was changed externally since the last rest.
	spoilt bool
	// dealt is the newest generation that was observed.
	dealt int64
}

// scriptRun is an install script that ran.
type scriptRun struct {
	volume, request string
	ended, well     bool
}

func (s *scriptRun) key() string { return s.volume + " " + s.request }

// world is a node, the engine beneath, and the state of both that outlives a daemon.
type world struct {
	*node // the last one, dead or alive
	t     *rapid.T
	sim   *simengine.Sim
	dir   string
	up    bool
	story []string

	books map[string]*book
	// kept are the volumes whose data must be there, in the order of their making; doomed
	// those that a client has deleted.
	kept    map[string]int
	doomed  map[string]bool
	events  []journal.Event
	foreign map[string]string // the fingerprints of foreign containers
	// calm is true while nothing but writes and deaths has happened since the last rest.
	calm bool
	// refusing is true once the engine may have refused something terminally, unmounted while the
	// host lacks what containers mount.
	refusing  bool
	unmounted atomic.Bool
	disk      disk
	// rules are the faults in force, busy how many external calls are under way.
	rules []*simengine.Injected
	busy  atomic.Int32

	// clock is what the clock of the machine is off by, and set what of that came about since the
	// last daemon was started: those that live do not go by it.
	clock, set time.Duration
	// reruns counts how often an external change may have run the script of a request.
	reruns map[string]int

	mu         sync.Mutex
	failpoints *failpoints
	scripts    []*scriptRun
	starts     map[string]int // by volume
	untimely   map[string]int // external starts, by volume, that may find no entry point
	problems   []string
}

func newWorld(t *rapid.T, dir string) *world {
	w := &world{
		t: t, dir: dir, failpoints: newFailpoints(0), calm: true,
		books: map[string]*book{}, kept: map[string]int{}, doomed: map[string]bool{}, foreign: map[string]string{}, starts: map[string]int{},
		untimely: map[string]int{}, reruns: map[string]int{},
	}
	// Docker 20.10 and 29 report and show the same things in different ways.
	release := w.pick("API version of the engine", []string{"1.41", "1.52"})
	w.note("the engine has API %s", release)
	w.sim = simengine.New(simengine.Options{AnyMounts: true, Seed: 1, Before: w.before, APIVersion: release})
	w.stock()
	w.sim.OnCommand("install-entry.sh", w.script)
	w.sim.OnCommand("entrypoint.sh", w.program)
	w.boot()
	if err := w.store.AddPorts(context.Background(), pool); err != nil {
		t.Fatal(err)
	}
	return w
}

// stock puts the images where they belong.
func (w *world) stock() {
	for _, ref := range []string{imageA, imageB, imageC} {
		w.sim.Publish(ref, simengine.Remote{Pace: 2 * time.Second})
	}
	w.sim.AddImage(imageA, simengine.ImageConfig{})
	w.sim.AddImage(imageB, simengine.ImageConfig{})
}

// before stands before the engine: every call takes a moment, and the failpoints count it.
func (w *world) before(engine http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Millisecond)
		w.mu.Lock()
		failpoints := w.failpoints
		w.mu.Unlock()
		failpoints.wrap(engine).ServeHTTP(rw, r)
	})
}

// boot starts a daemon on what the last one left.
func (w *world) boot() {
	w.fixDisk()
	w.note("the daemon is started")
	failpoints := newFailpoints(0)
	w.mu.Lock()
	w.failpoints = failpoints
	w.mu.Unlock()
	w.node = newNode(w.t, w.dir, func(o *setup) {
		o.host = "tcp://simulated:1"
		o.dial = func(ctx context.Context) (net.Conn, error) { return w.sim.Dial(ctx, "", "") }
		o.free, o.files, o.resync, o.install = failpoints.freeSpace, failpoints.files, 30*time.Second, 2*time.Minute
		o.records, o.commit = w.backdate, w.disk.around
		o.mounts = func(s desired.Spec) error {
			if w.unmounted.Load() {
				return desired.Invalid("mount", "it is not there")
			}
			return nil
		}
	})
	w.statuses.Subscribe(func(string) { failpoints.point("after a status commit") })
	w.store.Subscribe(func(string) { failpoints.point("after a spec commit") })
	failpoints.arm()
	w.up = true
}

// bury stops what is left of a daemon.
func (w *world) bury() {
	w.up = false
	w.node.stop()
}

func (w *world) close() {
	w.node.stop()
	w.release()
	_ = w.sim.Close()
}

// script is an install script: it does what its text describes.
func (w *world) script(ctx context.Context, p *simengine.Process) {
	w.alone(p)
	run := &scriptRun{volume: volumeOf(p), request: p.Labels()[observed.LabelInstall]}
	w.mu.Lock()
	w.scripts = append(w.scripts, run)
	w.mu.Unlock()
	text := readMounted(p, "install.sh")
	fmt.Fprintln(p.Stdout(), text)
	p.Change("/usr/tool", 1)
	code, takes := 0, time.Duration(0)
	switch strings.TrimSpace(text) {
	case scriptSlow:
		takes = 30 * time.Second
	case scriptFails:
		code = 3
	case scriptEndless:
		takes = 24 * time.Hour
	case scriptQuick, "": // one that was removed at the last moment
	default:
		w.problem("an install script reads %q", text)
	}
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	w.mu.Lock()
	run.ended, run.well = true, code == 0
	w.mu.Unlock()
	p.Exit(code)
}

// program is what runs in a runtime container.
func (w *world) program(ctx context.Context, p *simengine.Process) {
	w.alone(p)
	text, volume := readMounted(p, "entrypoint.sh"), volumeOf(p)
	ready := strings.Contains(text, "exec")
	w.mu.Lock()
	w.starts[volume]++
	if !ready && w.untimely[volume] > 0 {
		w.untimely[volume]--
		ready = true
	}
	w.mu.Unlock()
	if !ready {
		w.problem("a program starts with the entry point %q", text)
	}
	signals := p.Signals()
	fmt.Fprintln(p.Stdout(), "up")
	input := make(chan struct{}) // a word on its input
	go func() {
		if n, err := p.Stdin().Read(make([]byte, 16)); n > 0 && err == nil {
			close(input)
		}
	}()
	deaf := strings.Contains(strings.Join(p.Env(), " "), "DEAF")
	for {
		select {
		case <-ctx.Done():
			return
		case <-input:
			if input = nil; !deaf {
				return
			}
		case <-signals:
			if !deaf {
				return
			}
		}
	}
}

// alone checks what else of that id runs on the engine: two at once must never be.
func (w *world) alone(p *simengine.Process) {
	id := p.Labels()[observed.LabelID]
	for _, name := range w.sim.Names() {
		c, err := w.sim.Inspect(name)
		if err == nil && c.State.Running && c.ID != p.ID() && c.Config.Labels[observed.LabelID] == id &&
			c.Config.Labels[observed.LabelInstance] == p.Labels()[observed.LabelInstance] {
			w.problem("%s runs while %s is started", name, p.Name())
		}
	}
}

func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// volumeOf returns the id of the volume that a process has at home.
func volumeOf(p *simengine.Process) string {
	source, _ := p.Mounted("/home/container")
	return filepath.Base(source)
}

// readMounted reads one of a container's own files as it has it.
func readMounted(p *simengine.Process, name string) string {
	source, _ := p.Mounted("/app/data")
	text, err := os.ReadFile(filepath.Join(source, name))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
