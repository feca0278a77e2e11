package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/patient"
	"lightd/httpapi/api"
	"lightd/httpapi/sessions"
)

func TestMain(m *testing.M) { patient.Main(m) }

// memory is a store without a database.
type memory struct {
	mu         sync.RWMutex
	revision   uint64
	containers map[string]desired.Container
	hear       func(store.Commit)
	shown      atomic.Int64
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

func (m *memory) Still(fn func(store.Moment)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	fn(store.Moment{Revision: m.revision, Shown: m.revision})
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

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }
func (a *answer) Flush()                 {}

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

func TestWatch(t *testing.T) {
	m := newMemory("a", "b", "c")
	m.put("a", nil)
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{Media: "x/y"})
		r.want("ADDED 2 b/1", "ADDED 3 c/1", "ADDED 4 a/2", "BOOKMARK 4")
		if r.header.Get("Content-Type") != "x/y" || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("header %v", r.header)
		}
		m.put("b", nil)
		m.put("d", nil)
		m.remove("a")
		r.want("MODIFIED 5 b/2", "ADDED 6 d/1", "DELETED 7 a/2")
		m.commit(map[string]*desired.Container{"b": {}, "c": {}, "e": {}, "gone": nil})
		r.want("MODIFIED 8 b/3", "MODIFIED 9 c/2", "ADDED 10 e/1")
		if err := r.close(); err != nil {
			t.Error(err)
		}
		// A client that read half of the list goes on with the rest.
		half := open(t, h, Session{})
		half.want("ADDED 6 d/1", "ADDED 8 b/3")
		_ = half.close()
		rest := open(t, h, Session{Resume: true, After: 8})
		rest.want("MODIFIED 9 c/2", "ADDED 10 e/1")
		_ = rest.close()
	})
}

func TestResume(t *testing.T) {
	m := newMemory("a", "b")
	bubble(t, m, Config{Keep: 6 << 10}, func(t *testing.T, h *Hub) { // 3 changes, and 2 for what is there
		at := func(revision uint64) error {
			r := open(t, h, Session{Resume: true, After: revision})
			return r.close()
		}
		// Nothing has changed since the beginning; what was before is not known.
		for revision, want := range map[uint64]error{1: ErrCompacted, 2: nil, 3: ErrCompacted} {
			if err := at(revision); !errors.Is(err, want) {
				t.Errorf("after %d: %v, want %v", revision, err, want)
			}
		}
		for range 8 {
			m.put("a", nil)
		}
		for revision, want := range map[uint64]error{2: ErrCompacted, 4: ErrCompacted, 5: nil, 10: nil, 11: ErrCompacted} {
			if err := at(revision); !errors.Is(err, want) {
				t.Errorf("after %d: %v, want %v", revision, err, want)
			}
		}
		r := open(t, h, Session{Resume: true, After: 8})
		r.want("MODIFIED 9 a/8", "MODIFIED 10 a/9")
		m.commit(nil) // what changes no container has a revision too
		m.put("c", nil)
		r.want("ADDED 12 c/1")
		_ = r.close()
		if h.log.weight > h.log.most+h.log.all {
			t.Errorf("%d bytes are kept, may be %d", h.log.weight, h.log.most+h.log.all)
		}
		m.remove("a")
		m.remove("c")
		if left, _ := m.Container("b"); h.log.all != weigh(left) {
			t.Errorf("what is there weighs %d, is said to weigh %d", weigh(left), h.log.all)
		}
	})
}

func TestSelector(t *testing.T) {
	m := newMemory("x")
	m.put("in", map[string]string{"game": "chess"})
	bubble(t, m, Config{BookmarkEvery: time.Minute}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{Match: func(l map[string]string) bool { return l["game"] == "chess" }})
		r.want("ADDED 2 in/1", "BOOKMARK 2")
		m.put("x", map[string]string{"game": "go"})
		m.put("x", map[string]string{"game": "chess"})
		m.put("in", map[string]string{"game": "chess", "more": "1"})
		r.want("ADDED 4 x/3", "MODIFIED 5 in/2")
		m.put("in", map[string]string{"game": "go"})
		m.put("in", nil)
		m.remove("in")
		m.remove("x")
		r.want("DELETED 6 in/3", "DELETED 9 x/3")
		// What others see is silence to this one.
		for range 2 {
			m.put("y", nil)
			time.Sleep(20 * time.Second)
		}
		r.want("BOOKMARK 11")
		_ = r.close()
	})
}

func TestServerSentEvents(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{Events: true})
		for _, want := range []string{"id: 1", "event: ADDED", `data: {"type":"ADDED","revision":1,"container":{"internal_id":"a"`, "",
			"id: 1", "event: BOOKMARK", `data: {"type":"BOOKMARK","revision":1}`, ""} {
			if got := r.line(); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		_ = r.close()
	})
}

func TestBookmarks(t *testing.T) {
	m := newMemory()
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{})
		r.want("BOOKMARK 0")
		began := time.Now()
		m.commit(nil)
		r.want("BOOKMARK 1")
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("a bookmark after %s", took)
		}
		time.Sleep(20 * time.Second)
		m.put("a", nil)
		r.want("ADDED 2 a/1")
		r.want("BOOKMARK 2")
		if took := time.Since(began); took != 80*time.Second {
			t.Errorf("a bookmark after %s", took)
		}
		_ = r.close()
	})
}

// TestSlowReaderIsEnded, slows nobody, and can go on as far as the log reaches.
func TestSlowReaderIsEnded(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{Keep: 20 << 10}, func(t *testing.T, h *Hub) {
		slow, quick := open(t, h, Session{}), open(t, h, Session{})
		for _, r := range []*reader{slow, quick} {
			r.want("ADDED 1 a/1", "BOOKMARK 1")
		}
		for n := range 40 {
			m.put("a", nil)
			quick.want(fmt.Sprintf("MODIFIED %d a/%d", n+2, n+2))
		}
		// It finds out with the next thing that it reads.
		last := ""
		for line := slow.next(); line != "end"; line = slow.next() {
			last = line
		}
		if !strings.HasPrefix(last, "BOOKMARK ") {
			t.Errorf("ended with %q", last)
		}
		if err := <-slow.ended; err != nil {
			t.Error(err)
		}
		_ = quick.close()
	})
}

// TestReaderThatDoesNotRead is ended after half a minute.
func TestReaderThatDoesNotRead(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{})
		began := time.Now()
		if err := <-r.ended; err != nil || time.Since(began) != 30*time.Second {
			t.Errorf("ended with %v after %s", err, time.Since(began))
		}
	})
}

func TestEndsWithItsToken(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		var revoked atomic.Bool
		r := open(t, h, Session{Valid: func() bool { return !revoked.Load() }})
		deaf := open(t, h, Session{Valid: func() bool { return !revoked.Load() }})
		r.want("ADDED 1 a/1", "BOOKMARK 1")
		began := time.Now()
		revoked.Store(true)
		r.want("BOOKMARK 1", "end")
		<-deaf.ended
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("ended after %s", took)
		}
	})
}

func TestEndsWithTheHub(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r, deaf := open(t, h, Session{}), open(t, h, Session{})
		r.want("ADDED 1 a/1", "BOOKMARK 1")
		began := time.Now()
		go h.Close()
		r.want("BOOKMARK 1", "end")
		<-deaf.ended
		h.Close()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("ended after %s", took)
		}
		if late := open(t, h, Session{}); !errors.Is(<-late.ended, sessions.ErrClosed) {
			t.Error("a stream of a hub that is closed")
		}
	})
}

func TestTooMany(t *testing.T) {
	m := newMemory()
	bubble(t, m, Config{Total: 1}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{})
		r.want("BOOKMARK 0")
		if err := open(t, h, Session{}).close(); !errors.Is(err, sessions.ErrTooMany) {
			t.Errorf("got %v", err)
		}
		_ = r.close()
		again := open(t, h, Session{})
		again.want("BOOKMARK 0")
		_ = again.close()
	})
}

// TestAChangeOfAllCutsNobodyOff: who has come to the present can read all of it.
func TestAChangeOfAllCutsNobodyOff(t *testing.T) {
	m := newMemory()
	all := map[string]*desired.Container{}
	for i := range 100 {
		all[fmt.Sprint(1000+i)] = &desired.Container{}
	}
	m.commit(all)
	bubble(t, m, Config{Keep: 1}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{Resume: true, After: 100})
		synctest.Wait()
		m.commit(all)
		for i := range 100 {
			r.want(fmt.Sprintf("MODIFIED %d %d/2", 101+i, 1000+i))
		}
		_ = r.close()
	})
}

// TestClientThatLeaves over a real connection makes room for another.
func TestClientThatLeaves(t *testing.T) {
	m := newMemory("a")
	h := New(Config{Store: m, Show: m.show, Total: 1})
	defer h.Close()
	left := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.Serve(w, r, &Session{Match: everything, Valid: func() bool { return true }}); err != nil {
			t.Error(err)
		}
		left <- struct{}{}
	}))
	defer server.Close()
	for range 3 {
		response, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil || !strings.Contains(line, "ADDED") {
			t.Errorf("got %q, %v", line, err)
		}
		_ = response.Body.Close()
		<-left
	}
}

// TestEncodesOnce however many read, and not at all when nobody does.
func TestEncodesOnce(t *testing.T) {
	m := newMemory("a", "b", "c")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		m.put("a", nil)
		if n := m.shown.Load(); n != 0 {
			t.Errorf("encoded %d times for nobody", n)
		}
		var readers []*reader
		for range 100 {
			r := open(t, h, Session{})
			readers = append(readers, r)
			r.want("ADDED 2 b/1")
		}
		for _, r := range readers {
			r.want("ADDED 3 c/1", "ADDED 4 a/2", "BOOKMARK 4")
		}
		m.put("b", nil)
		for _, r := range readers {
			r.want("MODIFIED 5 b/2")
		}
		if n := m.shown.Load(); n != 4 {
			t.Errorf("encoded %d times, want 4", n)
		}
		synctest.Wait()
		// What the log does not hold is not kept for who may come.
		if c := h.log.current["c"]; c.body != nil {
			t.Error("a list that was read is kept")
		}
		for _, r := range readers {
			_ = r.close()
		}
	})
}

// replica is what a client holds by what it was told.
type replica struct {
	at   uint64
	held map[string]int64
	// whole is true once the list was read to its end.
	whole bool
}

// take takes one event, and complains of what cannot be.
func (p *replica) take(t *testing.T, e api.WatchEvent) {
	if e.Type == api.Bookmark {
		if e.Revision < p.at {
			t.Errorf("%s after revision %d", short(e), p.at)
		}
		p.at, p.whole = e.Revision, true
		return
	}
	id := e.Container.InternalID
	_, known := p.held[id]
	if e.Revision <= p.at || known != (e.Type != api.ChangeAdded) {
		t.Errorf("%s after revision %d, known: %v", short(e), p.at, known)
	}
	p.at = e.Revision
	p.held[id] = e.Container.Generation
	if e.Type == api.ChangeDeleted {
		delete(p.held, id)
	}
}

// TestNothingIsMissedOrDoubled: readers with and without a selector, who leave and resume as
// they like, hold in the end what is there.
func TestNothingIsMissedOrDoubled(t *testing.T) {
	m := newMemory("a", "b")
	h := New(Config{Store: m, Show: m.show, Keep: 64 << 10, BookmarkEvery: time.Millisecond})
	defer h.Close()
	even := func(l map[string]string) bool { return l["n"] == "even" }
	const last = "last"
	var readers sync.WaitGroup
	var replicas [8]replica
	var resumed, compacted atomic.Int64
	left, back := make(chan struct{}), make(chan struct{})
	away := sync.OnceFunc(func() { close(left); <-back })
	for i := range replicas {
		p, match := &replicas[i], everything
		if i%2 == 1 {
			match = even
		}
		readers.Go(func() {
			for {
				if i == 0 && p.whole {
					away() // one at least comes too late
				}
				if !p.whole {
					*p = replica{held: map[string]int64{}}
				} else {
					resumed.Add(1)
				}
				r := open(t, h, Session{Resume: p.whole, After: p.at, Match: match})
				for range 1 + rand.N(200) {
					line := r.line()
					if line == "" {
						break
					}
					p.take(t, r.event(line))
					if _, done := p.held[last]; done {
						_ = r.close()
						return
					}
				}
				if err := r.close(); errors.Is(err, ErrCompacted) {
					p.whole = false
					compacted.Add(1)
				}
			}
		})
	}
	for n := range 3000 {
		switch n {
		case 500:
			<-left
		case 2000:
			close(back)
		}
		id := string(rune('a' + rand.N(12)))
		labels := map[string]string{"n": "even"}
		if rand.N(2) == 0 {
			labels["n"] = "odd"
		}
		switch rand.N(5) {
		case 0:
			m.remove(id)
		case 1:
			m.commit(map[string]*desired.Container{id: {Spec: desired.Spec{Labels: labels}}, "z": {}})
		default:
			m.put(id, labels)
		}
		if n%100 == 0 {
			time.Sleep(time.Millisecond) // lets the readers come along, some of the time
		}
	}
	m.put(last, map[string]string{"n": "even"})
	readers.Wait()
	if resumed.Load() == 0 || compacted.Load() == 0 {
		t.Errorf("%d resumed, %d were too late: this test tries nothing", resumed.Load(), compacted.Load())
	}
	for i, p := range replicas {
		want := map[string]int64{}
		for id, c := range m.containers {
			if i%2 == 0 || even(c.Labels) {
				want[id] = c.Generation
			}
		}
		if !maps.Equal(p.held, want) {
			t.Errorf("reader %d holds %v, want %v", i, p.held, want)
		}
	}
}
