package health

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// world is what a Prober knows, and what it asks.
type world struct {
	mu      sync.Mutex
	specs   map[string]desired.Container
	seen    map[string]observed.Snapshot
	status  map[string]status.Status
	image   observed.Image
	changed []string
	// commands counts those that were begun by container, under how many are under way, and most how many were.
	commands    map[string]int
	under, most int
	// exec is what a command does.
	exec func(ctx context.Context, containerID string) (int, error)
}

func newWorld() *world {
	return &world{specs: map[string]desired.Container{}, seen: map[string]observed.Snapshot{}, status: map[string]status.Status{}, commands: map[string]int{}}
}

// Exec implements Executor.
func (w *world) Exec(ctx context.Context, containerID string, command ...string) (code int, ended bool, err error) {
	w.mu.Lock()
	w.commands[containerID]++
	w.under++
	w.most = max(w.most, w.under)
	exec := w.exec
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.under--
		w.mu.Unlock()
	}()
	code, err = exec(ctx, containerID)
	if ctx.Err() != nil {
		return 0, false, nil
	}
	return code, err == nil, err
}

func (w *world) prober(t *testing.T) *Prober {
	p := New(Config{
		Sources: Sources{
			Spec: func(id string) (desired.Container, bool) {
				w.mu.Lock()
				defer w.mu.Unlock()
				c, found := w.specs[id]
				return c, found
			},
			Seen: func(id string) observed.Snapshot {
				w.mu.Lock()
				defer w.mu.Unlock()
				return w.seen[id]
			},
			Status: func(id string) (status.Status, bool) {
				w.mu.Lock()
				defer w.mu.Unlock()
				st, found := w.status[id]
				return st, found
			},
			Image: func(string) observed.Image {
				w.mu.Lock()
				defer w.mu.Unlock()
				return w.image
			},
		},
		Exec: w,
		Changed: func(id string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changed = append(w.changed, id)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return p
}

// start makes a run of a container that matches its start pattern.
func (w *world) start(id string, check desired.Health) status.RunID {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := desired.Container{Spec: desired.DefaultSpec()}
	c.InternalID, c.Power, c.Health = id, desired.PowerRunning, &check
	c.Spec = c.Normalize()
	run := &observed.Container{ContainerID: "docker-" + id}
	run.Phase, run.StartedAt, run.Address = observed.Running, time.Now(), "127.0.0.1"
	w.specs[id] = c
	w.seen[id] = observed.Snapshot{Known: true, EngineUp: true, Run: run}
	runID := status.RunOf(run)
	st := status.Status{InternalID: id}
	st.Run, st.Matched = runID, runID
	w.status[id] = st
	return runID
}

func (w *world) count(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.commands["docker-"+id]
}

func (w *world) news() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.changed)
}

func (w *world) set(exec func(context.Context, string) (int, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exec = exec
}

func exits(code int) func(context.Context, string) (int, error) {
	return func(context.Context, string) (int, error) { return code, nil }
}

// TestResults: one success makes healthy, as many failures in a row as the spec says make unhealthy, what asks
// nothing counts for nothing, and news come with a change alone.
func TestResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set(exits(1))
		p := w.prober(t)
		run := w.start("web", desired.Health{Command: "x", Every: desired.Duration(time.Minute), After: desired.Duration(time.Hour), Failures: 3})
		p.Notify("web")
		time.Sleep(time.Hour - time.Second)
		if w.count("web") != 0 {
			t.Error("it was probed before its time")
		}
		time.Sleep(maxJitter + 2*time.Second) // between two probes from here on
		step := func(probes, news int, want observed.Health) {
			t.Helper()
			synctest.Wait()
			if got := p.Result("web", run); got != want || w.count("web") != probes || w.news() != news {
				t.Errorf("after %d probes, %d news: %+v; want %d, %d, %+v", w.count("web"), w.news(), got, probes, news, want)
			}
		}
		then := func(exec func(context.Context, string) (int, error)) {
			w.set(exec)
			time.Sleep(time.Minute)
		}
		broken := func(context.Context, string) (int, error) { return 0, errors.New("the engine went away") }
		ill := observed.Health{Known: true, Message: "the command ended with exit code 1"}
		well := observed.Health{Known: true, Healthy: true}
		step(1, 0, observed.Health{})
		then(exits(1))
		step(2, 0, observed.Health{})
		then(exits(1))
		step(3, 1, ill)
		then(broken)
		step(4, 1, ill)
		then(exits(0))
		step(5, 2, well)
		then(exits(1))
		step(6, 2, well)
		then(broken)
		step(7, 2, well)
		then(exits(2))
		step(8, 2, well)
		then(exits(2))
		step(9, 3, observed.Health{Known: true, Message: "the command ended with exit code 2"})
		then(exits(3))
		step(10, 3, observed.Health{Known: true, Message: "the command ended with exit code 2"})
	})
}

// TestTimeout: a command is cut off at its deadline, which counts as a failure, and the next one does not wait
// for longer than that.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set(func(ctx context.Context, _ string) (int, error) {
			<-ctx.Done()
			return 0, fmt.Errorf("run a command: %w", ctx.Err())
		})
		p := w.prober(t)
		run := w.start("web", desired.Health{Command: "x", Every: desired.Duration(time.Second), Timeout: desired.Duration(3 * time.Second), Failures: 2})
		p.Notify("web")
		time.Sleep(7500 * time.Millisecond)
		synctest.Wait()
		want := observed.Health{Known: true, Message: "the command did not end within 3s"}
		if got := p.Result("web", run); got != want || w.count("web") != 3 {
			t.Errorf("after %d probes: %+v", w.count("web"), got)
		}
	})
}

// TestOfOneRun: what was found of a run is nothing of the next one, and who does not run, is paused, is being
// stopped or has another check is not probed as before.
func TestOfOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		hang := make(chan struct{})
		w.set(func(context.Context, string) (int, error) {
			<-hang // whatever its context says
			return 0, nil
		})
		p := w.prober(t)
		check := desired.Health{Command: "x", Every: desired.Duration(time.Second), Timeout: desired.Duration(time.Minute)}
		first := w.start("web", check)
		p.Notify("web")
		time.Sleep(2 * time.Second)
		second := w.start("web", check)
		p.Notify("web")
		synctest.Wait()
		w.set(func(ctx context.Context, _ string) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		close(hang)
		synctest.Wait()
		for _, run := range []status.RunID{first, second} {
			if got := p.Result("web", run); got != (observed.Health{}) {
				t.Errorf("%v: %+v of another run", run, got)
			}
		}
		w.set(exits(0))
		third := w.start("web", check)
		p.Notify("web")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !p.Result("web", third).Healthy {
			t.Fatal("the run that goes on is not probed")
		}
		for name, change := range map[string]func(){
			"paused":           func() { w.seen["web"].Run.Phase = observed.Paused },
			"ended":            func() { w.seen["web"].Run.Phase = observed.Exited },
			"without matching": func() { w.status["web"] = status.Status{} },
			"being stopped": func() {
				st := w.status["web"]
				st.Stopping = &status.StopRequest{}
				w.status["web"] = st
			},
			"no engine": func() { w.seen["web"] = observed.Snapshot{Known: true} },
			"no check": func() {
				c := w.specs["web"].Clone()
				c.Health = nil
				w.specs["web"] = c
			},
			"deleted": func() { delete(w.specs, "web") },
		} {
			run := w.start("web", check)
			p.Notify("web")
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if !p.Result("web", run).Healthy {
				t.Fatalf("%s: not healthy before", name)
			}
			w.mu.Lock()
			change()
			w.mu.Unlock()
			news := w.news()
			p.Notify("web")
			synctest.Wait()
			probes := w.count("web")
			time.Sleep(time.Minute)
			synctest.Wait()
			if p.Result("web", run) != (observed.Health{}) || w.count("web") != probes || w.news() != news+1 {
				t.Errorf("%s: it is probed (%d, then %d)", name, probes, w.count("web"))
			}
		}
	})
}

// TestRoom: no more commands are under way than there is room for, who waits has not failed, and each is probed.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set(func(ctx context.Context, _ string) (int, error) {
			time.Sleep(4 * time.Second)
			return 0, ctx.Err()
		})
		p := w.prober(t)
		runs := map[string]status.RunID{}
		for i := range 50 {
			id := fmt.Sprint("c", i)
			runs[id] = w.start(id, desired.Health{Command: "x", Failures: 1})
			p.Notify(id)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for id, run := range runs {
			if got := p.Result(id, run); !got.Healthy || w.count(id) < 3 || w.count(id) > 6 {
				t.Errorf("%s: %+v after %d probes", id, got, w.count(id))
			}
		}
		if w.most != rooms[commands] {
			t.Errorf("%d were under way at once, there is room for %d", w.most, rooms[commands])
		}
	})
}

// TestImageCheck: the HEALTHCHECK of an image is run where the spec says so, once the image is known.
func TestImageCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set(exits(0))
		p := w.prober(t)
		run := w.start("web", desired.Health{Image: true})
		p.Notify("web")
		time.Sleep(time.Minute)
		if w.count("web") != 0 {
			t.Error("an image that is not known was probed")
		}
		w.mu.Lock()
		w.image = observed.Image{Known: true, Present: true, Healthcheck: []string{"CMD", "true"}}
		w.mu.Unlock()
		p.Notify("web")
		time.Sleep(time.Minute)
		synctest.Wait()
		if !p.Result("web", run).Healthy {
			t.Error("it is not probed")
		}
	})
	for test, want := range map[string]string{"NONE": "[]", "CMD": "[]", "CMD a b": "[a b]", "CMD-SHELL a": "[/bin/sh -c a]"} {
		if got := fmt.Sprint(imageCommand(splitTest(test))); got != want {
			t.Errorf("%s: %s", test, got)
		}
	}
}
