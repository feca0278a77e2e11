package socket

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"lightd/desired/store"
	"lightd/hack/eventually"
	"lightd/httpapi/sessions"
	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/journal"
	"lightd/observed/records"
	"lightd/observed/status"
	"lightd/observed/stdin"
)

func TestMain(m *testing.M) {
	eventually.Main(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// feed is a Console whose output is a channel for each subscriber, as the real one's is.
type feed struct {
	mu   sync.Mutex
	subs []chan console.Chunk
	// subscribing is called by Subscribe, input is what OpenInput returns.
	subscribing func()
	input       Input
}

type feedOutput struct{ c chan console.Chunk }
type noFigures struct{}

func (o feedOutput) C() <-chan console.Chunk { return o.c }
func (o feedOutput) Close()                  {}
func (noFigures) C() <-chan observed.Stats   { return nil }
func (noFigures) Close()                     {}

func (f *feed) Subscribe(string, console.From) Output {
	if f.subscribing != nil {
		f.subscribing()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan console.Chunk, 1)
	f.subs = append(f.subs, c)
	return feedOutput{c}
}

func (f *feed) SubscribeStats(string) Stats { return noFigures{} }
func (f *feed) OpenInput(string) Input {
	if f.input == nil {
		return noInput{}
	}
	return f.input
}
func (f *feed) History(context.Context, string, console.From, func(console.Chunk) error) error {
	return nil
}

type noInput struct{ Input }

func (noInput) Close() {}

// print offers text to every subscriber, and drops it for those that are behind.
func (f *feed) print(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.subs {
		select {
		case c <- console.Chunk{Text: text}:
		default:
		}
	}
}

type bench struct {
	t       testing.TB
	hub     *Hub
	store   *store.Store
	journal *records.Journal
	feed    *feed
	invalid atomic.Bool
	url     string
	served  chan error
}

func newBench(t testing.TB, tune func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, feed: &feed{}, served: make(chan error, 64)}
	var err error
	if b.store, err = store.Open(t.TempDir(), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	if b.journal, err = records.OpenJournal(b.store.DB); err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Journal: b.journal, Console: b.feed, IDs: func() []string { return []string{"web"} },
		Exists: func(string) bool { return true }, View: func(string) View { return View{Install: status.Ready, State: status.StateRunning} },
		Settle: b.store.Ping, Power: func(context.Context, string, string) error { return nil },
		Explain: func(_ context.Context, err error) string { return err.Error() }, Log: slog.New(slog.DiscardHandler),
	}
	tune(&cfg)
	b.hub = New(cfg)
	t.Cleanup(b.hub.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := b.hub.Serve(w, r, Session{ID: "web", Valid: func() bool { return !b.invalid.Load() }})
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
		}
		b.served <- err
	}))
	t.Cleanup(server.Close)
	b.url = "ws" + strings.TrimPrefix(server.URL, "http")
	return b
}

func (b *bench) dial() *websocket.Conn {
	b.t.Helper()
	conn, _, err := websocket.Dial(b.t.Context(), b.url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func (b *bench) append(kind journal.Type) {
	b.t.Helper()
	err := b.store.Update(context.Background(), func(tx *store.Tx) error {
		_, err := b.journal.Append(tx.Tx, journal.Event{InternalID: "web", Type: kind})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// ends returns the code that conn is closed with.
func ends(t *testing.T, conn *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Bound)
	defer cancel()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func TestInvalidTokenEnds(t *testing.T) {
	var cfg Config
	if cfg.setDefaults(); cfg.CheckEvery > 5*time.Second {
		t.Errorf("tokens are looked at every %s", cfg.CheckEvery)
	}
	b := newBench(t, func(c *Config) { c.CheckEvery = time.Millisecond })
	conn := b.dial()
	b.invalid.Store(true)
	if code := ends(t, conn); code != websocket.StatusPolicyViolation {
		t.Errorf("closed with %d", code)
	}
}

// TestDeadPeerEnds: a peer that does not read does not answer pings either.
func TestDeadPeerEnds(t *testing.T) {
	b := newBench(t, func(c *Config) { c.PingEvery, c.PongWithin = 5*time.Millisecond, 20*time.Millisecond })
	b.dial()
	select {
	case err := <-b.served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(eventually.Bound):
		t.Error("a dead peer is still served")
	}
}

// TestSlowClientIsDropped: one that takes nothing is dropped, and meanwhile the others
// and the printing program notice nothing of it.
func TestSlowClientIsDropped(t *testing.T) {
	eventually.Grow(t, 200*time.Millisecond, func(limit time.Duration) error { return slowClientIsDropped(t, limit) })
}

// slowClientIsDropped fails when the quick client was too slow too.
func slowClientIsDropped(t *testing.T, limit time.Duration) error {
	b := newBench(t, func(c *Config) { c.WriteWithin = limit })
	b.dial() // never reads
	quick := b.dial()
	quick.SetReadLimit(1 << 20)
	stop := make(chan struct{})
	var printing sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); printing.Wait() })
	defer end()
	printing.Go(func() {
		text := strings.Repeat("all work and no play\n", 3000)
		for {
			select {
			case <-stop:
				return
			default:
				b.feed.print(text)
			}
		}
	})
	dropped := make(chan struct{})
	go func() { <-b.served; close(dropped) }()
	read := 0
	for done := false; !done; {
		if _, _, err := quick.Read(t.Context()); err != nil {
			return fmt.Errorf("the quick client was dropped after %d messages: %w", read, err)
		}
		read++
		select {
		case <-dropped:
			done = true
		default:
		}
	}
	end()
	b.append(journal.Exited)
	for {
		_, data, err := quick.Read(t.Context())
		if err != nil {
			return fmt.Errorf("the quick client was dropped: %w", err)
		}
		if strings.Contains(string(data), `"type":"Exited"`) {
			return nil
		}
	}
}

// TestNoGapNoRepetition writes events while clients come and go with the number of the
// last one that they saw.
func TestNoGapNoRepetition(t *testing.T) {
	b := newBench(t, func(*Config) {})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = b.hub.Serve(w, r, Session{ID: "web", Replay: true, Valid: func() bool { return true }})
	}))
	defer server.Close()
	const total = 300
	go func() {
		for range total {
			b.append(journal.DriftDetected)
		}
	}()
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	seen := 0
	for seen < total {
		_, data, err := conn.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), `"lifecycle"`) {
			seen++
			if want := `"seq":` + strconv.Itoa(seen) + ","; !strings.Contains(string(data), want) {
				t.Fatalf("got %s, want %s", data, want)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Total = 1 })
	b.dial()
	if conn, _, err := websocket.Dial(t.Context(), b.url, nil); err == nil {
		_ = conn.CloseNow()
		t.Error("let in one too many")
	}
	if err := <-b.served; err != sessions.ErrTooMany {
		t.Errorf("got %v", err)
	}
}

// TestGoneMeanwhile: a container that vanishes between the look and the upgrade.
func TestGoneMeanwhile(t *testing.T) {
	var looks atomic.Int32
	b := newBench(t, func(c *Config) { c.Exists = func(string) bool { return looks.Add(1) == 1 } })
	if code := ends(t, b.dial()); code != websocket.StatusNormalClosure {
		t.Errorf("closed with %d", code)
	}
	if _, _, err := websocket.Dial(t.Context(), b.url, nil); err == nil {
		t.Error("let in to what is gone")
	}
}

// answering is an input whose program answers each line at once.
type answering struct {
	feed    *feed
	written chan struct{}
}

func (a answering) Write(_ context.Context, data []byte) error {
	a.feed.print("heard " + string(data))
	close(a.written)
	return nil
}
func (answering) Resize(context.Context, stdin.Size) error { return nil }
func (answering) Close()                                   {}

// TestClientHearsTheAnswerToItsFirstCommand: a client is subscribed before its commands are read, however long that takes.
func TestClientHearsTheAnswerToItsFirstCommand(t *testing.T) {
	b := newBench(t, func(*Config) {})
	written := make(chan struct{})
	b.feed.input = answering{b.feed, written}
	b.feed.subscribing = func() {
		select {
		case <-written: // what must not happen, given time to happen
		case <-time.After(100 * time.Millisecond):
		}
	}
	conn := b.dial()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"event":"send_command","command":"hi"}`)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Bound)
	defer cancel()
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if strings.Contains(string(data), "heard hi") {
			return
		}
	}
}
