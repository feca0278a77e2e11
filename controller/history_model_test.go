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

// model is what a container must be like by what has happened since it was created.
type model struct {
	id string
	// volume is its own: each creation gets another one.
	volume string
	// acked is it as the last write that was acknowledged has left it.
	acked desired.Container
	// causes counts what may have started its program once each.
	causes int
	// restart is how often its program had been started when the last restart was acknowledged.
	restart int
	// invalidated is true when its installation was changed externally since it last quiesced.
	invalidated bool
	// observedGeneration is the newest generation that was observed.
	observedGeneration int64
}

// scriptRun is an install script that ran.
type scriptRun struct {
	volume, request string
	ended, well     bool
}

func (s *scriptRun) key() string { return s.volume + " " + s.request }

// history is a random sequence of events in play: a node, the engine beneath, and the model of both.
type history struct {
	*node // the last one, running or not
	t     *rapid.T
	sim   *simengine.Sim
	dir   string
	up    bool
	story []string

	models map[string]*model
	// kept are the volumes whose data must be there, in the order of their making; deletedVolumes
	// those that a client has deleted.
	kept           map[string]int
	deletedVolumes map[string]bool
	events         []journal.Event
	foreign        map[string]string // the fingerprints of foreign containers
	// undisturbed is true while nothing but writes and crashes of the daemon has happened since it last quiesced.
	undisturbed bool
	// refusing is true once the engine may have refused something terminally, unmounted while the
	// host lacks what containers mount.
	refusing  bool
	unmounted atomic.Bool
	disk      disk
	// cordoned is true while the daemon has acknowledged that nothing begins, outOfService once that was so since it
	// last quiesced.
	cordoned     atomic.Bool
	outOfService bool
	// rules are the faults in force, busy how many external calls are under way.
	rules []*simengine.Injected
	busy  atomic.Int32

	// clock is what the clock of the machine is off by, and set what of that came about since the
	// last daemon was started: running daemons do not read it.
	clock, set time.Duration
	// reruns counts how often an external change may have run the script of a request.
	reruns map[string]int

	// failpoints are those of the daemon that was started last.
	failpoints *failpoints

	mu       sync.Mutex
	daemons  map[string]*failpoints // by what the engine sees as their address
	scripts  []*scriptRun
	starts   map[string]int // by volume
	untimely map[string]int // external starts, by volume, that may find no entry point
	problems []string
}

func newHistory(t *rapid.T, dir string) *history {
	h := &history{
		t: t, dir: dir, failpoints: newFailpoints(0), undisturbed: true,
		models: map[string]*model{}, kept: map[string]int{}, deletedVolumes: map[string]bool{}, foreign: map[string]string{}, starts: map[string]int{},
		untimely: map[string]int{}, reruns: map[string]int{}, daemons: map[string]*failpoints{},
	}
	// Docker 20.10 and 29 report and show the same things in different ways.
	release := h.pick("API version of the engine", []string{"1.41", "1.52"})
	h.note("the engine has API %s", release)
	h.sim = simengine.New(simengine.Options{AnyMounts: true, Seed: 1, Before: h.before, APIVersion: release})
	h.stock()
	h.sim.OnCommand("install-entry.sh", h.script)
	h.sim.OnCommand("entrypoint.sh", h.program)
	h.boot()
	if err := h.store.AddPorts(context.Background(), pool); err != nil {
		t.Fatal(err)
	}
	return h
}

// stock puts the images where they belong.
func (h *history) stock() {
	for _, ref := range []string{imageA, imageB, imageC} {
		h.sim.Publish(ref, simengine.Remote{Pace: 2 * time.Second})
	}
	h.sim.AddImage(imageA, simengine.ImageConfig{})
	h.sim.AddImage(imageB, simengine.ImageConfig{})
}

// before stands before the engine: every call takes a moment, and the failpoints of the daemon that
// makes it count it. A call of a crashed daemon may arrive when its successor runs.
func (h *history) before(engine http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h.checkCordoned(r)
		time.Sleep(time.Millisecond)
		h.mu.Lock()
		failpoints := h.daemons[r.RemoteAddr]
		h.mu.Unlock()
		failpoints.wrap(engine).ServeHTTP(rw, r)
	})
}

// boot starts a daemon on what the last one left.
func (h *history) boot() {
	h.fixDisk()
	h.note("the daemon is started")
	failpoints := newFailpoints(0)
	h.mu.Lock()
	address := fmt.Sprint("daemon ", len(h.daemons)+1)
	h.failpoints, h.daemons[address] = failpoints, failpoints
	h.mu.Unlock()
	h.node = newNode(h.t, h.dir, func(o *setup) {
		o.host = "tcp://simulated:1"
		o.dial = func(ctx context.Context) (net.Conn, error) { return h.sim.Dial(ctx, "", address) }
		o.free, o.files, o.resync, o.install = failpoints.freeSpace, failpoints.files, 30*time.Second, 2*time.Minute
		o.records, o.commit = h.backdate, h.disk.around
		o.mounts = func(s desired.Spec) error {
			if h.unmounted.Load() {
				return desired.Invalid("mount", "it is not there")
			}
			return nil
		}
	})
	h.statuses.Subscribe(func(string) { failpoints.point("after a status commit") })
	h.store.Subscribe(func(string) { failpoints.point("after a spec commit") })
	failpoints.arm()
	h.up = true
}

// discardDaemon stops what is left of a daemon.
func (h *history) discardDaemon() {
	h.up = false
	h.node.stop()
}

func (h *history) close() {
	h.node.stop()
	h.release()
	_ = h.sim.Close()
}

// script is an install script: it does what its text describes.
func (h *history) script(ctx context.Context, p *simengine.Process) {
	h.checkAlone(p)
	run := &scriptRun{volume: volumeOf(p), request: p.Labels()[observed.LabelInstall]}
	h.mu.Lock()
	h.scripts = append(h.scripts, run)
	h.mu.Unlock()
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
		h.problem("an install script reads %q", text)
	}
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	h.mu.Lock()
	run.ended, run.well = true, code == 0
	h.mu.Unlock()
	p.Exit(code)
}

// program is what runs in a runtime container.
func (h *history) program(ctx context.Context, p *simengine.Process) {
	h.checkAlone(p)
	text, volume := readMounted(p, "entrypoint.sh"), volumeOf(p)
	ready := strings.Contains(text, "exec")
	h.mu.Lock()
	h.starts[volume]++
	if !ready && h.untimely[volume] > 0 {
		h.untimely[volume]--
		ready = true
	}
	h.mu.Unlock()
	if !ready {
		h.problem("a program starts with the entry point %q", text)
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

// checkAlone checks what else of that id runs on the engine: two at once must never be.
func (h *history) checkAlone(p *simengine.Process) {
	id := p.Labels()[observed.LabelID]
	for _, name := range h.sim.Names() {
		c, err := h.sim.Inspect(name)
		if err == nil && c.State.Running && c.ID != p.ID() && c.Config.Labels[observed.LabelID] == id &&
			c.Config.Labels[observed.LabelInstance] == p.Labels()[observed.LabelInstance] {
			h.problem("%s runs while %s is started", name, p.Name())
		}
	}
}

func (h *history) problem(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.problems = append(h.problems, fmt.Sprintf(format, args...))
}

// volumeOf returns the id of the volume that a process has at home.
func volumeOf(p *simengine.Process) string {
	source, _ := p.Mounted("/home/container")
	if at, installs := p.Mounted("/mnt/server"); installs {
		source = at
	}
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
