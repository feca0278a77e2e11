package controller_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/subscribe"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/status"
)

// crashableDaemon is a node on a simulated engine that dies and is started again.
type crashableDaemon struct {
	*node
	t          *testing.T
	sim        *simengine.Sim
	dir        string
	failpoints *failpoints
	tune       []func(*setup)
	// later are the points at which the daemons after this one die.
	later []int
	// deaths are where the earlier ones died.
	deaths []string
	// ran holds a value when a program started or ended since it was last read.
	ran chan struct{}
	// hold, unless nil, is what an install script waits for.
	hold chan struct{}

	mu       sync.Mutex
	scripts  []string // the installation requests whose script ran, in order
	starts   int
	together int
	problems []string
}

// newCrashableDaemon starts a node that dies at the atth point, if at is not 0, and later ones
// which do not.
func newCrashableDaemon(t *testing.T, at int, tune ...func(*setup)) *crashableDaemon {
	m := &crashableDaemon{t: t, tune: tune, dir: harness.MemoryDir(t), failpoints: newFailpoints(at), ran: make(chan struct{}, 1),
		sim: harness.Sim(t, simengine.Options{AnyMounts: true}, harness.Busybox())}
	m.sim.OnCommand("install-entry.sh", m.script)
	m.sim.OnCommand("entrypoint.sh", m.program)
	m.boot()
	return m
}

func (m *crashableDaemon) script(ctx context.Context, p *simengine.Process) {
	m.mu.Lock()
	m.scripts = append(m.scripts, p.Labels()[observed.LabelInstall])
	m.mu.Unlock()
	m.launched(p)
	p.Change("/usr/tool", 1)
	if m.hold != nil {
		select {
		case <-ctx.Done():
		case <-m.hold:
		}
	}
}

// program is what the runtime container runs.
func (m *crashableDaemon) program(ctx context.Context, p *simengine.Process) {
	m.mu.Lock()
	m.starts++
	m.together++
	m.mu.Unlock()
	m.launched(p)
	fmt.Fprintln(p.Stdout(), "up")
	select {
	case <-ctx.Done():
	case <-p.Signals():
	}
	m.mu.Lock()
	m.together--
	m.mu.Unlock()
	subscribe.Wake(m.ran)
}

// launched checks what else of that id runs on the engine: two at once must never be.
func (m *crashableDaemon) launched(p *simengine.Process) {
	id := p.Labels()[observed.LabelID]
	for _, name := range m.sim.Names() {
		c, err := m.sim.Inspect(name)
		if err == nil && c.State.Running && c.ID != p.ID() && c.Config.Labels[observed.LabelID] == id {
			m.problem("%s runs while %s is started", name, p.Name())
		}
	}
	subscribe.Wake(m.ran)
}

func (m *crashableDaemon) problem(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.problems = append(m.problems, fmt.Sprintf(format, args...))
}

// boot starts a node; each has a way to the engine of its own, which ends with it.
func (m *crashableDaemon) boot() {
	m.t.Helper()
	socket := filepath.Join(m.t.TempDir(), "s")
	hangUp := m.serve(socket)
	failpoints := m.failpoints
	m.node = newNode(m.t, m.dir, append(m.tune, func(o *setup) {
		o.host, o.free, o.files = "unix://"+socket, failpoints.freeSpace, failpoints.files
		o.layer = 1 << 30
	})...)
	m.statuses.Subscribe(func(string) { failpoints.point("after a status commit") })
	m.store.Subscribe(func(string) { failpoints.point("after a spec commit") })
	failpoints.arm()
	stop := m.node.stop
	m.node.stop = func() { stop(); hangUp() }
	m.t.Cleanup(m.node.stop)
}

// neverCrashes, as the point to die at, has no failpoints between the daemon and the engine, so
// that the engine itself can hang up.
const neverCrashes = -1

// serve answers on a socket until hangUp is called.
func (m *crashableDaemon) serve(socket string) (hangUp func()) {
	if m.failpoints.at == neverCrashes {
		if err := m.sim.Serve(socket); err != nil {
			m.t.Fatal(err)
		}
		return func() {}
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		m.t.Fatal(err)
	}
	server := &http.Server{Handler: m.failpoints.wrap(m.sim)}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	return func() { server.Close(); <-served }
}

// away waits until the daemon has observed that the engine is gone.
func (m *crashableDaemon) away() {
	m.t.Helper()
	m.await("aware that the engine is gone", func() bool { up, _ := m.cache.Up(); return !up })
}

// alive returns when the daemon runs, having started it again if it died.
func (m *crashableDaemon) alive() {
	select {
	case <-m.failpoints.fired:
	default:
		return
	}
	m.node.stop()
	m.deaths = append(m.deaths, m.failpoints.where)
	at := 0
	if len(m.later) > 0 {
		at, m.later = m.later[0], m.later[1:]
	}
	m.failpoints = newFailpoints(at)
	m.boot()
}

// write makes an acknowledged write: one that was not is repeated by the client.
func (m *crashableDaemon) write(fn func() error) {
	m.t.Helper()
	var err error
	for range 4 {
		err = fn()
		if err == nil || errors.Is(err, desired.ErrContainerExists) {
			return
		}
		m.alive()
	}
	m.t.Fatalf("a write was refused though the daemon runs: %v", err)
}

func (m *crashableDaemon) set(fn func(*desired.Container)) {
	m.t.Helper()
	m.write(func() error {
		_, err := m.store.Change(context.Background(), "a", func(c *desired.Container) error { fn(c); return nil })
		return err
	})
}

// await waits for the daemon, this one or the next, to reach a state.
func (m *crashableDaemon) await(what string, is func() bool) {
	m.t.Helper()
	deadline := time.After(eventually.Bound)
	for done := false; !done; {
		m.alive()
		news := make(chan struct{}, 1)
		stop1 := m.statuses.Subscribe(func(string) { subscribe.Wake(news) })
		stop2 := m.store.Subscribe(func(string) { subscribe.Wake(news) })
		if done = is(); !done {
			select {
			case <-news:
			case <-m.cacheChanged:
			case <-m.ran:
			case <-m.failpoints.fired:
			case <-deadline:
				st, _ := m.statuses.Get("a")
				m.t.Fatalf("died %q: not %s after %s: events %s, status %+v", m.deaths, what, eventually.Bound, m.events("a"), st)
			}
		}
		stop1()
		stop2()
	}
}

// until waits until the generation of the last write is observed.
func (m *crashableDaemon) until(what string, fn func(desired.Container, status.Status) bool) {
	m.t.Helper()
	m.await(what, func() bool {
		c, _ := m.store.Container("a")
		st, _ := m.statuses.Get("a")
		return fn(c, st)
	})
}

func (m *crashableDaemon) settled() {
	m.t.Helper()
	m.until("settled", settled)
}

func settled(c desired.Container, st status.Status) bool {
	want := st.State == status.StateOffline
	if c.Power == desired.PowerRunning && st.InstallState != status.Failed {
		want = st.State == status.StateRunning
	}
	return c.Generation > 0 && st.ObservedGeneration == c.Generation && want
}

// drainAndBack drains the node, and puts it back into service once nothing runs.
func (m *crashableDaemon) drainAndBack() {
	m.t.Helper()
	tick, over := time.NewTicker(5*time.Millisecond), make(chan struct{})
	defer tick.Stop()
	defer close(over)
	go func() { // of what is recorded of the node nobody is notified
		for {
			select {
			case <-tick.C:
				subscribe.Wake(m.ran)
			case <-over:
				return
			}
		}
	}()
	m.write(func() error {
		return m.store.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.PutCordon(desired.Cordon{Drain: true, Parallel: 1})
			return err
		})
	})
	m.await("drained", func() bool {
		st, _ := m.statuses.Get("a")
		return m.statuses.Node().Drained && st.Get(status.Synced).Reason == status.ReasonNodeDrained && st.State == status.StateOffline
	})
	m.write(func() error {
		return m.store.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.DeleteCordon()
			return err
		})
	})
	m.settled()
	m.await("in service", func() bool { return m.statuses.Node().Cordon == nil })
	if got := m.node.nodeEvents(); got != "NodeCordoned NodeDrained NodeUncordoned" {
		m.report("the node has the events %s", got)
	}
}

func (m *crashableDaemon) gone() {
	m.t.Helper()
	m.until("gone", func(c desired.Container, _ status.Status) bool { return c.InternalID == "" })
}

// installerImage is that of an installer of its own.
const installerImage = "lightd-test/installer:latest"

func (m *crashableDaemon) createIt(script, separate bool) {
	m.t.Helper()
	var volume string
	m.write(func() error {
		v, err := m.volumes.Create(context.Background(), store.Creator{})
		volume = v.ID
		return err
	})
	s := desired.DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand, s.StartPattern = "a", harness.Busybox(), volume, "run", "up"
	if script {
		s.InstallScript = "true"
	}
	if separate {
		m.sim.Publish(installerImage, simengine.Remote{})
		s.InstallScript, s.Install = "", &desired.Install{Script: "true", Image: installerImage, Mount: "/mnt/server"}
	}
	m.write(func() error { _, err := m.store.Create(context.Background(), s); return err })
}
