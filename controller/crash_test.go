package controller_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/simengine"
	"lightd/observed/status"
)

// trap lets a daemon die at its nth point: right before or after an effect, which is a
// commit of the database or a call that changes something in Docker. Writing a file lies
// between two of them, where it may or may not have happened.
type trap struct {
	at int

	mu    sync.Mutex
	armed bool // not while the daemon opens its files
	count int
	where string
	fired chan struct{}
}

func (p *trap) arm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = true
}

func newTrap(at int) *trap { return &trap{at: at, fired: make(chan struct{})} }

// point counts, and reports whether the daemon is dead.
func (p *trap) point(where string) (dead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.armed {
		return false
	}
	p.count++
	if p.count == p.at {
		p.where = where
		close(p.fired)
	}
	return p.at > 0 && p.count >= p.at
}

// freeSpace is asked before each commit: a dead daemon commits nothing.
func (p *trap) freeSpace(string) (uint64, error) {
	if p.point("before a commit") {
		return 0, nil
	}
	return 1 << 40, nil
}

// wrap stands before the engine: what a dead daemon asks for does not happen, and what
// happened while it died is not told.
func (p *trap) wrap(engine http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/attach") {
			engine.ServeHTTP(w, r)
			return
		}
		what := r.Method + " " + r.URL.Path
		if p.point("before " + what) {
			panic(http.ErrAbortHandler)
		}
		engine.ServeHTTP(w, r)
		if p.point("after " + what) {
			panic(http.ErrAbortHandler)
		}
	})
}

// mortal is a node on a simulated engine that dies once and is started again.
type mortal struct {
	*node
	t    *testing.T
	sim  *simengine.Sim
	dir  string
	trap *trap
	tune []func(*setup)
	dead bool

	mu       sync.Mutex
	scripts  []string // the installation requests whose script ran, in order
	starts   int
	together int
	problems []string
}

func newMortal(t *testing.T, at int, tune ...func(*setup)) *mortal {
	m := &mortal{t: t, tune: tune, dir: t.TempDir(), trap: newTrap(at), sim: simengine.New(simengine.Options{AnyMounts: true})}
	m.sim.AddImage(testImage(), simengine.ImageConfig{})
	m.sim.OnCommand("install-entry.sh", func(ctx context.Context, p *simengine.Process) {
		m.mu.Lock()
		m.scripts = append(m.scripts, p.Labels()[observed.LabelInstall])
		m.mu.Unlock()
		p.Change("/usr/tool", 1)
	})
	m.sim.OnCommand("entrypoint.sh", m.program)
	t.Cleanup(func() { m.sim.Close() })
	m.boot()
	return m
}

// program is what the runtime container runs; two at once are what must never be.
func (m *mortal) program(ctx context.Context, p *simengine.Process) {
	m.mu.Lock()
	m.starts++
	m.together++
	if m.together > 1 {
		m.problems = append(m.problems, "two programs of one id ran at once")
	}
	m.mu.Unlock()
	fmt.Fprintln(p.Stdout(), "up")
	select {
	case <-ctx.Done():
	case <-p.Signals():
	}
	m.mu.Lock()
	m.together--
	m.mu.Unlock()
}

// boot starts a node; each has a way to the engine of its own, which ends with it.
func (m *mortal) boot() {
	m.t.Helper()
	socket := filepath.Join(m.t.TempDir(), "s")
	hangUp := m.serve(socket)
	m.node = newNode(m.t, m.dir, append(m.tune, func(o *setup) {
		o.host, o.free = "unix://"+socket, m.trap.freeSpace
	})...)
	m.statuses.Subscribe(func(string) { m.trap.point("after a status commit") })
	m.store.Subscribe(func(string) { m.trap.point("after a spec commit") })
	m.trap.arm()
	stop := m.node.stop
	m.node.stop = func() { stop(); hangUp() }
	m.t.Cleanup(m.node.stop)
}

// immortal, as the point to die at, has no trap between the daemon and the engine, so
// that the engine itself can hang up.
const immortal = -1

// serve answers on a socket until it is told to hang up.
func (m *mortal) serve(socket string) (hangUp func()) {
	if m.trap.at == immortal {
		if err := m.sim.Serve(socket); err != nil {
			m.t.Fatal(err)
		}
		return func() {}
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		m.t.Fatal(err)
	}
	server := &http.Server{Handler: m.trap.wrap(m.sim)}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	return func() { server.Close(); <-served }
}

// away waits until the daemon has noticed that the engine is gone.
func (m *mortal) away() {
	m.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		if up, _ := m.cache.Up(); !up {
			return
		}
		select {
		case <-m.saw:
		case <-deadline:
			m.t.Fatal("the engine is gone, and the daemon sees it")
		}
	}
}

// alive returns when the daemon lives, having started it again if it died.
func (m *mortal) alive() {
	if m.dead {
		return
	}
	select {
	case <-m.trap.fired:
		m.dead = true
		m.node.stop()
		m.trap = newTrap(0)
		m.boot()
	default:
	}
}

// write makes an acknowledged write: one that was not is repeated by the client.
func (m *mortal) write(fn func() error) {
	m.t.Helper()
	for range 3 {
		err := fn()
		if err == nil || errors.Is(err, desired.ErrContainerExists) {
			return
		}
		m.alive()
	}
	m.t.Fatal("a write was refused though the daemon lives")
}

func (m *mortal) set(fn func(*desired.Container)) {
	m.t.Helper()
	m.write(func() error {
		_, err := m.store.Change(context.Background(), "a", func(c *desired.Container) error { fn(c); return nil })
		return err
	})
}

// until waits for the daemon, this one or the next, to deal with the last write.
func (m *mortal) until(what string, fn func(desired.Container, status.Status) bool) {
	m.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		m.alive()
		news := make(chan struct{}, 1)
		tell := func(string) {
			select {
			case news <- struct{}{}:
			default:
			}
		}
		stop1, stop2 := m.statuses.Subscribe(tell), m.store.Subscribe(tell)
		c, _ := m.store.Container("a")
		st, _ := m.statuses.Get("a")
		done := fn(c, st)
		if !done {
			fired := m.trap.fired
			if m.dead {
				fired = nil
			}
			select {
			case <-news:
			case <-m.saw:
			case <-fired:
			case <-deadline:
				m.t.Fatalf("died %s: not %s after 30 s: events %s, status %+v", m.trap.where, what, m.events("a"), st)
			}
		}
		stop1()
		stop2()
		if done {
			return
		}
	}
}

func (m *mortal) settled() {
	m.t.Helper()
	m.until("settled", func(c desired.Container, st status.Status) bool {
		want := st.State == status.StateOffline
		if c.Power == desired.PowerRunning && st.InstallState != status.Failed {
			want = st.State == status.StateRunning
		}
		return c.Generation > 0 && st.ObservedGeneration == c.Generation && want
	})
}

func (m *mortal) createIt(script bool) {
	v, err := m.volumes.Create(context.Background())
	if err != nil { // the daemon died in it
		m.alive()
		if v, err = m.volumes.Create(context.Background()); err != nil {
			m.t.Fatal(err)
		}
	}
	s := desired.DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand, s.StartPattern = "a", testImage(), v.ID, "run", "up"
	if script {
		s.InstallScript = "true"
	}
	m.write(func() error { _, err := m.store.Create(context.Background(), s); return err })
}

// lifecycle is a story of writes, each settled before the next, and what must have
// happened at its end whenever the daemon died.
type lifecycle struct {
	script bool
	writes []func(*desired.Container)
	starts int
	// installs are the requests whose script ran, unless one was told as interrupted.
	installs string
}

var lifecycles = map[string]lifecycle{
	"create":             {starts: 0},
	"create with script": {script: true, installs: "1"},
	"start":              {writes: []func(*desired.Container){power}, starts: 1},
	"stop":               {writes: []func(*desired.Container){power, halt}, starts: 1},
	"kill":               {writes: []func(*desired.Container){power, slay}, starts: 1},
	"restart":            {writes: []func(*desired.Container){power, again}, starts: 2},
	"restart twice":      {writes: []func(*desired.Container){power, again, again}, starts: 3},
	"rebind":             {writes: []func(*desired.Container){power, rebind}, starts: 2},
	"reinstall":          {script: true, writes: []func(*desired.Container){power, reinstall}, starts: 2, installs: "1 2"},
	"limits":             {writes: []func(*desired.Container){power, limit}, starts: 1},
	"delete":             {script: true, writes: []func(*desired.Container){power, erase}, starts: 1, installs: "1"},
}

func halt(c *desired.Container)      { c.Power = desired.PowerStopped }
func slay(c *desired.Container)      { c.Power, c.Kill = desired.PowerStopped, true }
func again(c *desired.Container)     { c.Requests.Restart++ }
func rebind(c *desired.Container)    { c.Env = map[string]string{"A": "B"} }
func reinstall(c *desired.Container) { c.Requests.Install++ }
func limit(c *desired.Container)     { c.Limits.Memory = 64 << 20 }
func erase(c *desired.Container)     { c.Deleting = true }

// play runs a lifecycle in which the daemon dies at a point, and returns how many points
// there were.
func play(t *testing.T, l lifecycle, at int) int {
	m := newMortal(t, at)
	m.createIt(l.script)
	m.settled()
	erased := false
	for _, w := range l.writes {
		if c, _ := m.store.Container("a"); m.failed() && !c.Deleting {
			m.set(reinstall) // what a person does who reads InstallInterrupted
			m.settled()
		}
		m.set(w)
		var probe desired.Container
		if w(&probe); probe.Deleting {
			erased = true
			m.until("gone", func(c desired.Container, _ status.Status) bool { return c.InternalID == "" })
			continue
		}
		m.settled()
	}
	m.alive()
	m.check(l, erased)
	m.node.stop()
	return m.trap.count
}

func (m *mortal) failed() bool {
	st, _ := m.statuses.Get("a")
	return st.InstallState == status.Failed
}

// check holds the invariants.
func (m *mortal) check(l lifecycle, erased bool) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	complain := func(format string, args ...any) {
		m.t.Errorf("died %s: %s; events %s", m.trap.where, fmt.Sprintf(format, args...), m.events("a"))
	}
	for _, p := range m.problems {
		complain("%s", p)
	}
	interrupted := strings.Contains(m.events("a"), "Error")
	if m.starts != l.starts && !interrupted {
		complain("%d starts, want %d", m.starts, l.starts)
	}
	if ran := strings.Join(m.scripts, " "); ran != l.installs && !interrupted {
		complain("scripts ran %q, want %q", ran, l.installs)
	}
	if unique := slices.Compact(slices.Clone(m.scripts)); len(unique) != len(m.scripts) {
		complain("a script ran twice for one request: %v", m.scripts)
	}
	page, _, err := m.journal.Page("a", 0, 1000)
	if err != nil {
		m.t.Fatal(err)
	}
	told := map[string]int{}
	for i, e := range page {
		told[string(e.Type)]++
		if i > 0 && e.Seq <= page[i-1].Seq {
			complain("seq %d after %d", e.Seq, page[i-1].Seq)
		}
	}
	if told["Ready"] != strings.Count(l.installs, " ")+1 && !interrupted {
		complain("Ready told %d times", told["Ready"])
	}
	if told["Running"] != l.starts && !interrupted {
		complain("Running told %d times, want %d", told["Running"], l.starts)
	}
	want := 1
	if erased {
		want = 0
	}
	if names := m.sim.Names(); len(names) != want {
		complain("containers left: %v", names)
	}
}

// TestCrashAnywhere lets the daemon die before and after every effect of every lifecycle.
func TestCrashAnywhere(t *testing.T) {
	for name, l := range lifecycles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			points := play(t, l, 0)
			if points < 8 {
				t.Fatalf("only %d points: the trap counts nothing", points)
			}
			for at := 1; at <= points; at++ {
				t.Run(fmt.Sprint(at), func(t *testing.T) { play(t, l, at) })
			}
		})
	}
}
