package console

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightd/hack/eventually"
	"lightd/observed"
	"lightd/observed/stdin"
	"lightd/observed/streams"
)

func TestMain(m *testing.M) { eventually.Main(m) }

var errRefused = errors.New("refused")

// pipes are streams whose other ends the test holds.
type pipes struct {
	outputs, inputs chan net.Conn
	figures         chan observed.Stats
	resize          func(containerID string, s stdin.Size)

	mu       sync.Mutex
	attached int
	followed int
	refuse   bool   // attaching fails
	hang     bool   // attaching waits for its context
	log      string // each line is given a time unless it has one
	logErr   error
	since    []time.Time
	lines    int
}

func (p *pipes) set(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
}

func (p *pipes) open(ctx context.Context, ends chan net.Conn) (net.Conn, error) {
	p.mu.Lock()
	p.attached++
	refuse, hang := p.refuse, p.hang
	p.mu.Unlock()
	if refuse {
		return nil, errRefused
	}
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ours, theirs := net.Pipe()
	ends <- theirs
	return ours, nil
}

func (p *pipes) AttachOutput(ctx context.Context, _ string) (io.ReadCloser, error) {
	return p.open(ctx, p.outputs)
}

func (p *pipes) AttachInput(ctx context.Context, _ string) (streams.Conn, error) {
	return p.open(ctx, p.inputs)
}

func (p *pipes) Logs(_ context.Context, _ string, r streams.Range) (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Lines == 0 {
		p.since = append(p.since, r.Since)
	}
	p.lines = r.Lines
	log := p.log
	if _, err := time.Parse(stampForm, strings.SplitN(log, " ", 2)[0]); r.Timestamps && err != nil && log != "" {
		var b strings.Builder
		for line := range strings.Lines(log) {
			b.WriteString(time.Time{}.Format(stampForm) + " " + line)
		}
		log = b.String()
	}
	return io.NopCloser(strings.NewReader(log)), p.logErr
}

func (p *pipes) Resize(_ context.Context, containerID string, cols, rows int) error {
	if p.resize != nil {
		p.resize(containerID, stdin.Size{Cols: cols, Rows: rows})
	}
	return nil
}

func (p *pipes) Stats(ctx context.Context, _ string, fn func(observed.Stats)) error {
	p.set(func() { p.followed++ })
	defer p.set(func() { p.followed-- })
	for {
		select {
		case s := <-p.figures:
			fn(s)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// world is a Console over pipes and a cache that the test writes. It lives in a bubble.
type world struct {
	*rooms
	pipes   *pipes
	mu      sync.Mutex
	now     observed.Snapshot
	changed int
	created time.Time
}

func (w *world) Get(string) observed.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// see makes s the observation.
func (w *world) see(s observed.Snapshot) {
	s.Known, s.EngineUp, s.At = true, true, time.Now()
	w.mu.Lock()
	w.now = s
	w.mu.Unlock()
	w.Notify("a")
	synctest.Wait()
}

func (w *world) changes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

const id = "a"

var target = streams.Target{ContainerID: "c1", TTY: true}

func inPhase(p observed.Phase, started time.Time) observed.Snapshot {
	return observed.Snapshot{Run: &observed.Container{
		ContainerID: target.ContainerID, Role: observed.RoleRun,
		State: observed.State{Phase: p, StartedAt: started}, Config: observed.Config{TTY: target.TTY},
	}}
}

func up(started time.Time) observed.Snapshot { return inPhase(observed.Running, started) }

// bubble runs fn with a world in virtual time.
func bubble(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{pipes: &pipes{
			outputs: make(chan net.Conn, 16), inputs: make(chan net.Conn, 16), figures: make(chan observed.Stats),
		}}
		w.rooms = newRooms(w.pipes, w, func(string) {
			w.mu.Lock()
			w.changed++
			w.mu.Unlock()
		})
		w.created = time.Now()
		time.Sleep(time.Hour) // so that no time is zero or before the world
		defer w.Close()
		fn(t, w)
	})
}

// end returns the other end of a stream that was opened.
func end(t *testing.T, ends chan net.Conn) net.Conn {
	t.Helper()
	synctest.Wait()
	select {
	case c := <-ends:
		t.Cleanup(func() { c.Close() })
		return c
	default:
		t.Fatal("no stream was opened")
		return nil
	}
}

func none(t *testing.T, ends chan net.Conn) {
	t.Helper()
	synctest.Wait()
	select {
	case <-ends:
		t.Fatal("a stream was opened")
	default:
	}
}

// say writes text as the container and waits until it was read.
func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if err := c.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatalf("nobody reads: %v", err)
	}
	synctest.Wait()
}

// ended reports whether our side closed c.
func ended(c net.Conn) bool {
	synctest.Wait()
	_ = c.SetReadDeadline(time.Now().Add(time.Nanosecond))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// next returns what s hands out within d.
func next(s *Subscription, d time.Duration) Chunk {
	synctest.Wait()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case c := <-s.C():
		return c
	case <-timer.C:
		return Chunk{}
	}
}

func sub(t *testing.T, w *world) *Subscription {
	t.Helper()
	s := w.Subscribe(id, From{})
	t.Cleanup(s.Close)
	return s
}
