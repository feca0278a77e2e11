package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/eventually"
	"lightd/httpapi/api"
)

func TestMain(m *testing.M) { eventually.Main(m) }

// memory is a store without a database.
type memory struct {
	mu         sync.RWMutex
	revision   uint64
	containers map[string]desired.Container
	hear       func(store.Commit)
	shown      atomic.Int64
	// stilled, unless nil, has a value for each call of Still.
	stilled chan struct{}
}

func newMemory(ids ...string) *memory {
	m := &memory{containers: map[string]desired.Container{}}
	for _, id := range ids {
		m.put(id, nil)
	}
	return m
}

func (m *memory) Container(id string) (desired.Container, bool) {
	c, ok := m.containers[id] // the caller is told of a commit, or holds the moment
	return c, ok
}

func (m *memory) Containers() []desired.Container {
	return slices.Collect(maps.Values(m.containers))
}

func (m *memory) AtSnapshot(fn func(store.Snapshot)) {
	if m.stilled != nil {
		m.stilled <- struct{}{}
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	fn(store.Snapshot{Revision: m.revision, Shown: m.revision})
}

func (m *memory) SubscribeCommits(fn func(store.Commit)) (cancel func()) {
	m.hear = fn
	return func() {}
}

// show is what a Hub is given to make of a container what a client sees.
func (m *memory) show(c desired.Container) func() api.Container {
	return func() api.Container {
		m.shown.Add(1)
		return api.Container{InternalID: c.InternalID, Generation: c.Generation, Labels: c.Labels, InstallScript: c.InstallScript}
	}
}

// commit changes containers in one transaction; nil removes one.
func (m *memory) commit(changes map[string]*desired.Container) {
	m.mu.Lock()
	defer m.mu.Unlock()
	touched := slices.Sorted(maps.Keys(changes))
	m.revision += uint64(max(1, len(touched)))
	for id, c := range changes {
		if c == nil {
			delete(m.containers, id)
			continue
		}
		c.InternalID, c.Generation, c.Revision = id, m.containers[id].Generation+1, m.revision
		m.containers[id] = *c
	}
	if m.hear != nil {
		m.hear(store.Commit{Revision: m.revision, Touched: touched})
	}
}

func (m *memory) put(id string, labels map[string]string) {
	m.commit(map[string]*desired.Container{id: {Spec: desired.Spec{Labels: labels}}})
}

func (m *memory) remove(id string) { m.commit(map[string]*desired.Container{id: nil}) }

// answer is a http.ResponseWriter over a connection, without any buffer.
type answer struct {
	net.Conn
	header http.Header
	status int
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Flush() {}

// reader is a client of a Hub.
type reader struct {
	t      *testing.T
	conn   net.Conn
	lines  *bufio.Reader
	header http.Header
	leave  context.CancelFunc
	ended  chan error
}

func everything(map[string]string) bool { return true }

// open begins a stream.
func open(t *testing.T, h *Hub, s Session) *reader {
	t.Helper()
	if s.Match == nil {
		s.Match = everything
	}
	if s.Valid == nil {
		s.Valid = func() bool { return true }
	}
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	a := &answer{Conn: theirs, header: http.Header{}}
	r := &reader{t: t, conn: ours, lines: bufio.NewReader(ours), header: a.header, leave: cancel, ended: make(chan error, 1)}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/containers", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		err := h.Serve(a, request, &s)
		_ = theirs.Close()
		r.ended <- err
	}()
	return r
}

// close leaves, and waits until the stream has ended.
func (r *reader) close() error {
	r.leave()
	_ = r.conn.Close()
	return <-r.ended
}

// line returns the next line, "" at the end.
func (r *reader) line() string {
	line, err := r.lines.ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(line, "\n")
}

// next returns the next change in short, as in "ADDED 3 web/1".
func (r *reader) next() string {
	r.t.Helper()
	line := r.line()
	if line == "" {
		return "end"
	}
	return short(r.event(line))
}

func (r *reader) event(line string) api.WatchEvent {
	r.t.Helper()
	var e api.WatchEvent
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		r.t.Fatalf("%q: %v", line, err)
	}
	return e
}

func short(e api.WatchEvent) string {
	if e.Container == nil {
		return fmt.Sprintf("%s %d", e.Type, e.Revision)
	}
	return fmt.Sprintf("%s %d %s/%d", e.Type, e.Revision, e.Container.InternalID, e.Container.Generation)
}

func (r *reader) want(lines ...string) {
	r.t.Helper()
	for _, want := range lines {
		if got := r.next(); got != want {
			r.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// bubble runs fn with a Hub on fake time.
func bubble(t *testing.T, m *memory, cfg Config, fn func(t *testing.T, h *Hub)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Store, cfg.Show = m, m.show
		h := New(cfg)
		defer h.Close()
		fn(t, h)
	})
}
