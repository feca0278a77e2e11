package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
)

func TestMain(m *testing.M) { eventually.Main(m) }

// short are deadlines that a test can wait for.
var short = engine.Timeouts{
	Query: 100 * time.Millisecond, Create: 100 * time.Millisecond, Start: 100 * time.Millisecond,
	Kill: 100 * time.Millisecond, Remove: 100 * time.Millisecond, Commit: 100 * time.Millisecond,
}

func newEngine(t *testing.T, c engine.Config) *engine.Engine {
	t.Helper()
	e, err := engine.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// calls is every kind of call, each of which must keep its deadline.
func calls(e *engine.Engine) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"ping":    e.Ping,
		"list":    func(ctx context.Context) error { _, err := e.List(ctx); return err },
		"inspect": func(ctx context.Context) error { _, _, err := e.Inspect(ctx, "x"); return err },
		"create": func(ctx context.Context) error {
			_, _, err := e.Create(ctx, blueprint.Blueprint{Name: "x"})
			return err
		},
		"start":   func(ctx context.Context) error { return e.Start(ctx, "x") },
		"kill":    func(ctx context.Context) error { return e.Kill(ctx, "x", "SIGKILL") },
		"signal":  func(ctx context.Context) error { return e.Signal(ctx, "x", "SIGTERM") },
		"unpause": func(ctx context.Context) error { return e.Unpause(ctx, "x") },
		"remove":  func(ctx context.Context) error { return e.Remove(ctx, "x") },
		"update":  func(ctx context.Context) error { _, err := e.UpdateLimits(ctx, "x", desired.Limits{}); return err },
		"changes": func(ctx context.Context) error {
			return e.Changes(ctx, "x", func(engine.Change) bool { return true })
		},
		"commit": func(ctx context.Context) error { _, err := e.Commit(ctx, "x", "r:t", ""); return err },
		"image":  func(ctx context.Context) error { _, err := e.Image(ctx, "x"); return err },
		"images": func(ctx context.Context) error { _, err := e.Images(ctx); return err },
		"rmi":    func(ctx context.Context) error { return e.RemoveImage(ctx, "x") },
		"save": func(ctx context.Context) error {
			return e.SaveImage(ctx, "x", func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
		},
		"load": func(ctx context.Context) error {
			return e.LoadImage(ctx, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil })
		},
		"has file":      func(ctx context.Context) error { _, err := e.HasFile(ctx, "x", "/x"); return err },
		"read file":     func(ctx context.Context) error { _, err := e.ReadFile(ctx, "x", "/x", 1); return err },
		"root ids":      func(ctx context.Context) error { _, _, err := e.RootIDs(ctx); return err },
		"volumes":       func(ctx context.Context) error { _, err := e.Volumes(ctx); return err },
		"remove volume": func(ctx context.Context) error { return e.RemoveVolume(ctx, "x") },
		"events": func(ctx context.Context) error {
			return e.ContainerEvents(ctx, time.Time{}, func(time.Time) {}, func(engine.Event) {})
		},
		"image events": func(ctx context.Context) error { return e.ImageEvents(ctx, func() {}, func(engine.Event) {}) },
		"attach":       func(ctx context.Context) error { _, err := e.Attach(ctx, "x", engine.AttachOptions{}); return err },
		"logs":         func(ctx context.Context) error { _, err := e.Logs(ctx, "x", engine.LogsOptions{}); return err },
		"stats":        func(ctx context.Context) error { return e.Stats(ctx, "x", func(engine.Stats) {}) },
	}
}

// silent accepts connections and never answers.
func silent(t *testing.T) (host string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	return "unix://" + path
}

// within runs all calls at once and checks that each ends with a timeout.
func within(t *testing.T, e *engine.Engine) {
	t.Helper()
	var group sync.WaitGroup
	for name, call := range calls(e) {
		group.Go(func() {
			err := call(t.Context())
			if engine.Classify(err) != engine.Unavailable || !errors.Is(err, engine.ErrTimeout) {
				t.Errorf("%s gave %v", name, err)
			}
		})
	}
	group.Wait()
}

func TestNothingOutlivesItsDeadline(t *testing.T) {
	t.Run("silent from the first", func(t *testing.T) {
		within(t, newEngine(t, engine.Config{Host: silent(t), Timeouts: short}))
	})
	t.Run("silent after the version", func(t *testing.T) {
		gone := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Api-Version", "1.41")
			if !strings.HasSuffix(r.URL.Path, "/_ping") {
				<-gone
			}
		}))
		defer server.Close()
		defer close(gone)
		e := newEngine(t, engine.Config{Host: "tcp://" + server.Listener.Addr().String(), Timeouts: short})
		var group sync.WaitGroup
		for name, call := range calls(e) {
			group.Go(func() {
				if err := call(t.Context()); name != "ping" && !errors.Is(err, engine.ErrTimeout) {
					t.Errorf("%s gave %v", name, err)
				}
			})
		}
		group.Wait()
	})
}

func TestOneHungCallHoldsUpNoOther(t *testing.T) {
	e := newEngine(t, engine.Config{Host: silent(t), Timeouts: engine.Timeouts{Query: time.Hour}})
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var hung atomic.Bool
	hung.Store(true)
	group.Go(func() { _ = e.Ping(ctx); hung.Store(false) }) // agrees on a version for an hour
	defer group.Wait()
	defer cancel()
	soon, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := e.Start(soon, "x"); err == nil || !hung.Load() {
		t.Errorf("%v, and the other call hangs: %v", err, hung.Load())
	}
}

func TestAbsentEngine(t *testing.T) {
	e := newEngine(t, engine.Config{Host: "unix://" + filepath.Join(t.TempDir(), "none")})
	for name, call := range calls(e) {
		if err := call(t.Context()); engine.Classify(err) != engine.Unavailable {
			t.Errorf("%s gave %v", name, err)
		}
	}
}

func TestAnotherEngineIsSpokenToInItsOwnVersion(t *testing.T) {
	var newest atomic.Value
	newest.Store("1.47")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version := newest.Load().(string)
		w.Header().Set("Api-Version", version)
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasPrefix(r.URL.Path, "/v"+version+"/") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"message":"client version is too new"}`)
			return
		}
		_, _ = fmt.Fprint(w, `[]`)
	}))
	defer server.Close()
	e := newEngine(t, engine.Config{Host: "tcp://" + server.Listener.Addr().String()})
	for _, version := range []string{"1.47", "1.41", "1.45"} {
		newest.Store(version)
		if _, err := e.List(t.Context()); err != nil {
			t.Errorf("engine of %s: %v", version, err)
		}
	}
}

func TestEngineThatAnnouncesNoVersion(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	e := newEngine(t, engine.Config{Host: "tcp://" + server.Listener.Addr().String()})
	if err := e.Ping(t.Context()); engine.Classify(err) != engine.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestBadAddress(t *testing.T) {
	for _, host := range []string{"nonsense", "ftp://x", "npipe:////./pipe/x"} {
		if _, err := engine.New(engine.Config{Host: host}); err == nil {
			t.Errorf("%q was accepted", host)
		}
	}
}

// TestDeadlinesGrowWithPorts: the engine binds and releases the ports of a container one after the
// other, and answers nothing else of it meanwhile.
func TestDeadlinesGrowWithPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ports, each = 300, 300 * time.Millisecond
		sim := harness.Sim(t, simengine.Options{}, "image")
		sim.SlowPorts(each)
		e := newEngine(t, engine.Config{Host: "tcp://simulated:1", Instance: "i",
			Dial: func(ctx context.Context) (net.Conn, error) { return sim.Dial(ctx, "", "") }})
		b := blueprint.Blueprint{Name: "lightd-a", Image: "image"}
		for port := 1; port <= ports; port++ {
			b.Ports = append(b.Ports, desired.Port{IP: "127.0.0.1", Port: 20000 + port, Protocol: desired.TCP, ContainerPort: port})
		}
		id, _, err := e.Create(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		withPorts := engine.WithPorts(t.Context(), ports)
		for _, step := range []struct {
			what string
			call func(context.Context) error
		}{
			{"start", func(ctx context.Context) error { return e.Start(ctx, id) }},
			{"kill", func(ctx context.Context) error { return e.Kill(ctx, id, "SIGKILL") }},
		} {
			if err := step.call(t.Context()); !errors.Is(err, engine.ErrTimeout) {
				t.Errorf("a %s without the time of its ports: %v", step.what, err)
			}
			time.Sleep(ports * each)
			if err := step.call(withPorts); err != nil && engine.Classify(err) != engine.Conflict { // done by the first one
				t.Errorf("a %s after that: %v", step.what, err)
			}
		}
		for range 2 {
			began := time.Now()
			if err := e.Start(withPorts, id); err != nil {
				t.Errorf("a start with the time of its ports: %v", err)
			}
			if err := e.Kill(withPorts, id, "SIGKILL"); err != nil {
				t.Errorf("a kill with the time of its ports: %v", err)
			}
			if took := time.Since(began); took < 2*ports*each {
				t.Errorf("the engine took %v", took)
			}
		}
		if err := e.Remove(withPorts, id); err != nil {
			t.Errorf("the removal: %v", err)
		}
	})
}

// TestCanceledCallKeepsTheVersion: what a caller gives up says nothing of the engine, and what it does not answer in
// time does: the version of the API is negotiated again.
func TestCanceledCallKeepsTheVersion(t *testing.T) {
	var pings atomic.Int32
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			pings.Add(1)
			return
		}
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	e := newEngine(t, engine.Config{Host: "tcp://" + server.Listener.Addr().String(), Timeouts: engine.Timeouts{Query: time.Second}})
	for _, step := range []struct {
		cancels bool
		want    int32
	}{{true, 1}, {false, 1}, {true, 2}, {true, 2}} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-asked
			if step.cancels {
				cancel()
			}
		}()
		if _, err := e.List(ctx); err == nil || errors.Is(err, engine.ErrTimeout) == step.cancels {
			t.Errorf("got %v", err)
		}
		cancel()
		if got := pings.Load(); got != step.want {
			t.Errorf("negotiated %d times, want %d", got, step.want)
		}
	}
}

// TestQuestionsAreShared by acts at the same time.
func TestQuestionsAreShared(t *testing.T) {
	for route, ask := range map[string]func(context.Context, *engine.Engine) error{
		"/volumes/{id}": func(ctx context.Context, e *engine.Engine) error { _, err := e.Owner(ctx); return err },
		"/networks":     func(ctx context.Context, e *engine.Engine) error { _, _, err := e.Network(ctx, "bridge"); return err },
		"/info":         func(ctx context.Context, e *engine.Engine) error { _, err := e.Directories(ctx); return err },
	} {
		t.Run(route, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := simengine.New(simengine.Options{})
				t.Cleanup(func() { sim.Close() })
				e := newEngine(t, engine.Config{Instance: "i", Host: "tcp://simulated:1",
					Dial: func(ctx context.Context) (net.Conn, error) { return sim.Dial(ctx, "", "") }})
				if _, err := e.ClaimOwner(t.Context(), "first"); err != nil {
					t.Fatal(err)
				}
				asked := sim.Inject(simengine.Rule{Method: http.MethodGet, Route: route, Delay: 10 * time.Millisecond})
				var acts sync.WaitGroup
				for range 10 {
					acts.Go(func() {
						if err := ask(t.Context(), e); err != nil {
							t.Error(err)
						}
					})
				}
				acts.Wait()
				if asked.Hits() != 2 {
					t.Errorf("asked %d times for 10 acts, want the first and one for the others", asked.Hits())
				}
			})
		})
	}
}
