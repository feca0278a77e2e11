package console

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
	"lightd/observed/startpattern"
	"lightd/observed/streams"
)

const testImage = "lightd-test/busybox:latest"

// real is a Console on a real engine, with a cache that is asked to look.
type real struct {
	*rooms
	t       *testing.T
	engine  *engine.Engine
	changed chan string

	mu   sync.Mutex
	now  observed.Snapshot
	live int // output streams that were opened
}

func (r *real) Get(string) observed.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// counted counts the output streams.
type counted struct {
	streams.Docker
	r *real
}

func (c *counted) AttachOutput(ctx context.Context, containerID string) (io.ReadCloser, error) {
	c.r.mu.Lock()
	c.r.live++
	c.r.mu.Unlock()
	return c.Docker.AttachOutput(ctx, containerID)
}

// onEngine returns a Console on the engine of this machine.
func onEngine(t *testing.T) *real {
	t.Helper()
	harness.NeedEngine(t)
	e, err := engine.New(engine.Config{Instance: "console-test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	if err := e.Ping(t.Context()); err != nil {
		t.Fatalf("no engine answers: %v", err)
	}
	r := &real{t: t, engine: e, changed: make(chan string, 16)}
	r.rooms = newRooms(&counted{streams.NewDocker(e), r}, r, func(id string) { r.changed <- id })
	t.Cleanup(r.Close)
	return r
}

// create makes a container that runs script.
func (r *real) create(tty bool, script string) streams.Target {
	r.t.Helper()
	containerID := r.createFrom(blueprint.Blueprint{
		Image: testImage, Labels: map[string]string{observed.LabelInstance: r.engine.Instance()},
		Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{script},
		TTY: tty, OpenStdin: true, Limits: desired.Limits{PIDs: 64},
	})
	r.look(containerID)
	return streams.Target{ContainerID: containerID, TTY: tty}
}

// createFrom makes a container under a name of its own.
func (r *real) createFrom(b blueprint.Blueprint) (containerID string) {
	r.t.Helper()
	b.Name = fmt.Sprintf("lightd-console-test-%d", time.Now().UnixNano())
	containerID, _, err := r.engine.Create(r.t.Context(), b)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = r.engine.Remove(context.Background(), containerID) })
	return containerID
}

// look refreshes the observation.
func (r *real) look(containerID string) *observed.Container {
	r.t.Helper()
	at := time.Now()
	c, _, err := r.engine.Inspect(r.t.Context(), containerID)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.now = observed.Snapshot{Known: true, At: at, EngineUp: true, Run: &c}
	r.mu.Unlock()
	r.Notify(id)
	return &c
}

func (r *real) start(x streams.Target) *observed.Container {
	r.t.Helper()
	if err := r.engine.Start(r.t.Context(), x.ContainerID); err != nil {
		r.t.Fatal(err)
	}
	return r.look(x.ContainerID)
}

// kill ends the process and waits until that is seen.
func (r *real) kill(x streams.Target) {
	r.t.Helper()
	_ = r.engine.Kill(r.t.Context(), x.ContainerID, "SIGKILL")
	for r.look(x.ContainerID).Running() {
		time.Sleep(10 * time.Millisecond)
	}
}

// reads hands out lines from s until enough says so.
func (r *real) reads(s *Subscription, enough func(text string) bool) string {
	r.t.Helper()
	late := time.After(eventually.Bound)
	var text strings.Builder
	for !enough(text.String()) {
		select {
		case chunk := <-s.C():
			if chunk.Lost > 0 {
				r.t.Fatalf("lost %d bytes", chunk.Lost)
			}
			text.WriteString(chunk.Text)
		case <-late:
			r.t.Fatalf("so far only %q", text.String())
		}
	}
	return text.String()
}

func contains(want string) func(string) bool {
	return func(text string) bool { return strings.Contains(text, want) }
}

func bothKinds(t *testing.T, fn func(t *testing.T, tty bool)) {
	for _, tty := range []bool{true, false} {
		t.Run(fmt.Sprintf("tty=%v", tty), func(t *testing.T) { fn(t, tty) })
	}
}

func TestEngineFirstLineIsNeverMissed(t *testing.T) {
	bothKinds(t, func(t *testing.T, tty bool) {
		r := onEngine(t)
		x := r.create(tty, "echo the first; echo the last >&2")
		s := r.Subscribe(id, From{})
		defer s.Close()
		for i := range 20 {
			if err := r.Expect(id, x, startpattern.Run{}, "^the first$"); err != nil {
				t.Fatal(err)
			}
			if err := r.Prepare(t.Context(), id, x); err != nil {
				t.Fatal(err)
			}
			run := r.start(x)
			// Two streams have no order between them.
			text := r.reads(s, func(text string) bool {
				return strings.Contains(text, "the first") && strings.Contains(text, "the last")
			})
			if strings.Count(text, "the first") != 1 || strings.Count(text, "the last") != 1 {
				t.Fatalf("start %d: got %q", i, text)
			}
			if err := r.Expect(id, x, startpattern.Run{StartedAt: run.StartedAt}, "^the first$"); err != nil {
				t.Fatal(err)
			}
			<-r.changed // the text reaches subscribers before it is matched
			if !r.Matched(id, x.ContainerID, run.StartedAt) {
				t.Fatalf("start %d: not matched", i)
			}
			r.kill(x)
		}
	})
}

func TestEngineOneStreamForAll(t *testing.T) {
	bothKinds(t, func(t *testing.T, tty bool) {
		r := onEngine(t)
		x := r.create(tty, "while read l; do echo got $l; done")
		a, b := r.Subscribe(id, From{}), r.Subscribe(id, From{})
		defer a.Close()
		defer b.Close()
		if err := r.Prepare(t.Context(), id, x); err != nil {
			t.Fatal(err)
		}
		r.start(x)
		if err := r.writeAs(t.Context(), id, []byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Subscription{a, b} {
			if text := r.reads(s, contains("got hello")); strings.Count(text, "got hello") != 1 {
				t.Errorf("got %q", text)
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.live != 1 {
			t.Errorf("%d streams", r.live)
		}
	})
}

func TestEnginePatternOfARunThatIsUpAlready(t *testing.T) {
	bothKinds(t, func(t *testing.T, tty bool) {
		r := onEngine(t)
		x := r.create(tty, "echo ready; exec sleep 1000")
		started := r.start(x).StartedAt
		for !strings.Contains(past(t, r.Console, From{Lines: 1}), "ready") {
			time.Sleep(10 * time.Millisecond)
		}
		if err := r.Expect(id, x, startpattern.Run{StartedAt: started}, "^ready$"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-r.changed:
		case <-time.After(eventually.Bound):
			t.Fatal("not matched")
		}
		if !r.Matched(id, x.ContainerID, started) {
			t.Error("not matched in that run")
		}
	})
}

// TestEngineEchoIsNoMatch: a terminal prints what is typed, and the program may print the same.
func TestEngineEchoIsNoMatch(t *testing.T) {
	r := onEngine(t)
	x := r.create(true, `echo up; read -r l; read -r l; printf '> \r\033[KLoading\rDone\033[K\n'; exec sleep 1000`)
	s := r.Subscribe(id, From{})
	defer s.Close()
	if err := r.Expect(id, x, startpattern.Run{}, "^Done$"); err != nil {
		t.Fatal(err)
	}
	if err := r.Prepare(t.Context(), id, x); err != nil {
		t.Fatal(err)
	}
	started := r.start(x).StartedAt
	if err := r.Expect(id, x, startpattern.Run{StartedAt: started}, "^Done$"); err != nil {
		t.Fatal(err)
	}
	r.reads(s, contains("up"))
	in := r.OpenInput(id)
	defer in.Close()
	for _, keys := range []string{"D", "o", "n", "e", "\r"} { // and Enter
		if err := in.Write(t.Context(), []byte(keys)); err != nil {
			t.Fatal(err)
		}
		if keys != "\r" {
			r.reads(s, contains(keys))
		}
	}
	select {
	case <-r.changed:
		t.Fatal("an echo matched")
	case <-time.After(time.Second): // a pause in which an open line is looked at, too
	}
	if err := in.Write(t.Context(), []byte("Done\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.changed:
	case <-time.After(eventually.Bound):
		t.Fatal("the answer does not match")
	}
	if text := past(t, r.Console, From{Lines: 10}); strings.Count(text, "Done") != 3 {
		t.Errorf("the log has %q", text)
	}
}

func TestEngineFlood(t *testing.T) {
	r := onEngine(t)
	const lines = 150_000 // as much as fits the queue of a subscriber: this one may be slow
	x := r.create(false, fmt.Sprintf("seq 1 %d", lines))
	s, stalled := r.Subscribe(id, From{}), r.Subscribe(id, From{})
	defer s.Close()
	defer stalled.Close()
	if err := r.Prepare(t.Context(), id, x); err != nil {
		t.Fatal(err)
	}
	r.start(x)
	last := fmt.Sprintf("\n%d\n", lines)
	late := time.After(eventually.Bound)
	var text []byte
	for chunks := 0; ; chunks++ {
		select {
		case chunk := <-s.C():
			text = append(text, chunk.Text...)
			if chunk.Lost > 0 {
				t.Fatalf("lost %d bytes", chunk.Lost)
			}
		case <-late:
			t.Fatalf("%d bytes", len(text))
		}
		if strings.HasSuffix(string(text[max(0, len(text)-len(last)):]), last) {
			t.Logf("%d bytes in %d chunks", len(text), chunks+1)
			break
		}
	}
	if n := strings.Count(string(text), "\n"); n != lines {
		t.Errorf("%d lines of %d", n, lines)
	}
}

func TestEngineStats(t *testing.T) {
	r := onEngine(t)
	x := r.create(false, "while :; do :; done")
	s := r.SubscribeStats(id)
	defer s.Close()
	r.start(x)
	late := time.After(eventually.Bound)
	var last observed.Stats
	for n := 0; n < 3 || last.CPUUsage == 0; n++ {
		select {
		case v := <-s.C():
			last = v
		case <-late:
			t.Fatalf("%d figures, the last %+v", n, last)
		}
	}
	if last.MemoryUsage == 0 || last.CPUUsage < 1 {
		t.Errorf("got %+v", last)
	}
	again := r.SubscribeStats(id)
	defer again.Close()
	select {
	case <-again.C():
	default:
		t.Error("the last ones did not come at once")
	}
}
