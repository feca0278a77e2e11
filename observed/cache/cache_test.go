package cache_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"go.uber.org/goleak"

	"lightd/observed"
	"lightd/observed/cache"
	"lightd/observed/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const instance = "inst"

// fake is an engine in memory, for what depends on order and time.
type fake struct {
	mu         sync.Mutex
	containers map[string]observed.Container // by name
	foreign    map[string]bool
	down       bool
	inspects   []string
	lists      int
	underway   map[string]int
	most       int
	// delay is how long an inspection takes, after it has seen what it reports.
	delay  time.Duration
	stream chan func(each func(engine.Event)) error
}

func newFake() *fake {
	return &fake{
		containers: map[string]observed.Container{}, foreign: map[string]bool{}, underway: map[string]int{},
		stream: make(chan func(each func(engine.Event)) error),
	}
}

var errAway = fmt.Errorf("no engine: %w", cerrdefs.ErrUnavailable)

func (f *fake) List(context.Context) ([]engine.Listed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists++
	if f.down {
		return nil, errAway
	}
	var list []engine.Listed
	for name, c := range f.containers {
		if !f.foreign[name] {
			list = append(list, engine.Listed{ContainerID: c.ContainerID, Names: []string{name}, Labels: labels(name), Phase: c.Phase})
		}
	}
	return list, nil
}

func (f *fake) Inspect(ctx context.Context, name string) (observed.Container, map[string]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return observed.Container{}, nil, errAway
	}
	f.inspects = append(f.inspects, name)
	f.underway[name]++
	if f.underway[name] > 1 {
		panic("two looks at " + name)
	}
	f.most = max(f.most, len(f.underway))
	c, ok := f.containers[name]
	foreign := f.foreign[name]
	if f.delay > 0 {
		f.mu.Unlock()
		time.Sleep(f.delay)
		f.mu.Lock()
	}
	delete(f.underway, name)
	switch {
	case !ok:
		return observed.Container{}, nil, fmt.Errorf("%s: %w", name, cerrdefs.ErrNotFound)
	case foreign:
		return c, nil, nil
	default:
		return c, labels(name), nil
	}
}

func (f *fake) ContainerEvents(ctx context.Context, _ time.Time, opened func(), each func(engine.Event)) error {
	f.mu.Lock()
	down := f.down
	f.mu.Unlock()
	if down {
		return errAway
	}
	opened()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case act := <-f.stream:
			if err := act(each); err != nil {
				return err
			}
		}
	}
}

// labels are those of a container of ours with a name.
func labels(name string) map[string]string {
	role, id := observed.RoleRun, strings.TrimPrefix(name, "lightd-")
	if rest, ok := strings.CutPrefix(name, "lightd_install-"); ok {
		role, id = observed.RoleInstall, rest
	}
	return map[string]string{observed.LabelInstance: instance, observed.LabelID: id, observed.LabelRole: string(role)}
}

// put makes a container exist.
func (f *fake) put(name, containerID string, phase observed.Phase) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := observed.Container{ContainerID: containerID, Phase: phase, Role: observed.Role(labels(name)[observed.LabelRole])}
	if phase != observed.Created {
		c.StartedAt = time.Now()
	}
	f.containers[name] = c
}

func (f *fake) remove(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.containers, name)
}

func (f *fake) setDown(down bool) {
	f.mu.Lock()
	f.down = down
	f.mu.Unlock()
	if down {
		f.stream <- func(func(engine.Event)) error { return errors.New("cut") }
	}
}

// tell sends an event.
func (f *fake) tell(name, containerID, action string, more ...string) {
	attributes := labels(name)
	for i := 0; i+1 < len(more); i += 2 {
		attributes[more[i]] = more[i+1]
	}
	ev := engine.Event{Action: action, ID: containerID, Attributes: attributes, Time: time.Now()}
	f.stream <- func(each func(engine.Event)) error { each(ev); return nil }
}

// calls returns what was inspected since the last time, sorted, and how many lists there were.
func (f *fake) calls() (inspects []string, lists int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	inspects, lists = f.inspects, f.lists
	f.inspects, f.lists = nil, 0
	slices.Sort(inspects)
	return inspects, lists
}

// told counts the callbacks by id.
type told struct {
	mu    sync.Mutex
	count map[string]int
}

func (c *told) changed(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[id]++
}

func (c *told) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := maps.Clone(c.count)
	clear(c.count)
	return all
}

// scene runs fn in a bubble with a cache that has taken its first look.
func scene(t *testing.T, f *fake, fn func(t *testing.T, c *cache.Cache, news *told)) {
	synctest.Test(t, func(t *testing.T) {
		f.stream = make(chan func(func(engine.Event)) error)
		for name, c := range f.containers { // the bubble has a time of its own
			f.put(name, c.ContainerID, c.Phase)
		}
		news := &told{count: map[string]int{}}
		c := cache.New(cache.Config{Engine: f, Instance: instance, Changed: news.changed})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		fn(t, c, news)
	})
}

func TestFirstList(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.put("lightd-b", "B", observed.Created)
	f.put("lightd_install-b", "BI", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		if up, since := c.Up(); !up || time.Since(since) != time.Second {
			t.Errorf("up %v since %v", up, since)
		}
		if ids := c.IDs(); !slices.Equal(ids, []string{"a", "b"}) {
			t.Errorf("ids %v", ids)
		}
		if got, want := news.take(), map[string]int{"a": 1, "b": 1}; !maps.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		a, b := c.Get("a"), c.Get("b")
		if !a.Known || !a.EngineUp || a.Run.ContainerID != "A" || a.Install != nil {
			t.Errorf("a: %+v", a)
		}
		if !b.Known || b.Run.ContainerID != "B" || b.Install.ContainerID != "BI" {
			t.Errorf("b: %+v", b)
		}
		if inspects, lists := f.calls(); lists != 1 || !slices.Equal(inspects, []string{"lightd-a", "lightd-b", "lightd_install-b"}) {
			t.Errorf("%d lists, inspected %v", lists, inspects)
		}
		if s := c.Get("nobody"); s.Known || !s.EngineUp {
			t.Errorf("an id that nobody asked about: %+v", s)
		}
	})
}

func TestWhatDoesNotChangeCostsNothing(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.put("lightd-b", "B", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		f.calls()
		time.Sleep(4 * time.Minute)
		f.tell("lightd-a", "A", "exec_create: sh")
		if inspects, lists := f.calls(); lists != 0 || len(inspects) != 0 {
			t.Errorf("at rest: %d lists, inspected %v", lists, inspects)
		}
		news.take()
		f.put("lightd-b", "B", observed.Exited) // no event
		f.put("lightd-c", "C", observed.Created)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if inspects, lists := f.calls(); lists != 1 || !slices.Equal(inspects, []string{"lightd-b", "lightd-c"}) {
			t.Errorf("resync: %d lists, inspected %v", lists, inspects)
		}
		f.remove("lightd-a")
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if s := c.Get("a"); s.Run != nil {
			t.Errorf("what is gone is shown: %+v", s)
		}
		if got, want := news.take(), map[string]int{"a": 1, "b": 1, "c": 1}; !maps.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
	})
}

func TestDieIsShownAtOnce(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.delay = 50 * time.Millisecond
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		news.take()
		f.tell("lightd-a", "A", "die", "exitCode", "9")
		synctest.Wait()
		s := c.Get("a")
		if s.Run.Phase != observed.Exited || s.Run.ExitCode != 9 || !s.Run.FinishedAt.Equal(time.Now()) || !s.At.Equal(time.Now()) || !s.Known {
			t.Errorf("at the event: %+v %+v", s, s.Run)
		}
		if got := news.take(); got["a"] != 1 {
			t.Errorf("told %v", got)
		}
		f.put("lightd-a", "A", observed.Exited)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := news.take(); got["a"] == 0 {
			t.Error("no look followed")
		}
	})
}

func TestDieAgainstALookUnderWay(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		f.mu.Lock()
		f.delay = 100 * time.Millisecond
		f.mu.Unlock()
		c.Refresh("a")
		synctest.Wait() // the look has seen it running, and has not answered
		f.mu.Lock()
		gone := f.containers["lightd-a"]
		gone.Phase, gone.ExitCode, gone.OOMKilled = observed.Exited, 137, true
		f.containers["lightd-a"] = gone
		f.mu.Unlock()
		f.tell("lightd-a", "A", "oom")
		f.tell("lightd-a", "A", "die", "exitCode", "137")
		for range 100 {
			synctest.Wait()
			if s := c.Get("a"); s.Run.Phase != observed.Exited || !s.Run.OOMKilled {
				t.Fatalf("an older look covered the end: %+v", s.Run)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

func TestDieOfAnotherRunShowsNothing(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *told) {
		before := c.Get("a").Run.StartedAt
		old := engine.Event{Action: "die", ID: "A", Time: before.Add(-time.Second), Attributes: labels("lightd-a")}
		old.Attributes["exitCode"] = "1"
		f.stream <- func(each func(engine.Event)) error { each(old); return nil }
		f.tell("lightd-a", "OTHER", "die", "exitCode", "1")
		time.Sleep(time.Second)
		synctest.Wait()
		if s := c.Get("a"); s.Run.Phase != observed.Running {
			t.Errorf("shown as %+v", s.Run)
		}
	})
}

func TestRefreshDuringALookMakesAnotherFollow(t *testing.T) {
	f := newFake()
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		f.mu.Lock()
		f.delay = time.Second
		f.mu.Unlock()
		c.Refresh("a")
		time.Sleep(500 * time.Millisecond) // the look has seen that there is none
		f.put("lightd-a", "A", observed.Created)
		asked := time.Now()
		for range 100 {
			c.Refresh("a")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s := c.Get("a")
		if s.Run == nil || s.At.Before(asked) {
			t.Errorf("%+v", s)
		}
		if inspects, _ := f.calls(); len(inspects) != 4 { // two looks at two names
			t.Errorf("inspected %v", inspects)
		}
		if got := news.take(); got["a"] != 2 {
			t.Errorf("told %v", got)
		}
	})
}

func TestFewLooksAtOnce(t *testing.T) {
	f := newFake()
	for i := range 100 {
		f.put(fmt.Sprintf("lightd-%d", i), fmt.Sprint(i), observed.Running)
	}
	f.delay = time.Millisecond
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		if f.most != 4 {
			t.Errorf("%d looks at once, want 4", f.most)
		}
		if got := news.take(); len(got) != 100 {
			t.Errorf("told %d, want 100", len(got))
		}
	})
}

func TestEngineGoesAndComes(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.put("lightd-b", "B", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		c.Refresh("wanted")
		synctest.Wait()
		news.take()
		f.setDown(true)
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		everybody := map[string]int{"a": 1, "b": 1, "wanted": 1}
		if got := news.take(); !maps.Equal(got, everybody) {
			t.Errorf("going: told %v, want %v", got, everybody)
		}
		if s := c.Get("a"); s.Known || s.EngineUp || s.Run == nil || s.Run.Phase != observed.Running {
			t.Errorf("while it is away: %+v", s)
		}
		c.Refresh("a")
		time.Sleep(time.Minute)
		f.calls()
		f.put("lightd-a", "A", observed.Running) // another run that looks the same in a list
		again := f.containers["lightd-a"].StartedAt
		f.setDown(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := c.Get("a"); !s.Known || !s.EngineUp || !s.Run.StartedAt.Equal(again) || !s.EngineSince.After(again) {
			t.Errorf("when it is back: %+v", s)
		}
		if got := news.take(); got["a"] == 0 || got["b"] == 0 || got["wanted"] == 0 {
			t.Errorf("coming: told %v", got)
		}
	})
}

func TestABrokenStreamIsNoDeadEngine(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		_, since := c.Up()
		news.take()
		f.calls()
		f.stream <- func(func(engine.Event)) error { return errors.New("cut") }
		f.put("lightd-a", "A", observed.Exited) // unseen
		time.Sleep(time.Second)
		synctest.Wait()
		if up, now := c.Up(); !up || !now.Equal(since) {
			t.Errorf("up %v since %v, was since %v", up, now, since)
		}
		if s := c.Get("a"); s.Run.Phase != observed.Exited {
			t.Errorf("what was missed: %+v", s.Run)
		}
		if inspects, lists := f.calls(); lists != 1 || len(inspects) != 1 {
			t.Errorf("%d lists, inspected %v", lists, inspects)
		}
	})
}

func TestAnEngineThatAnswersNothingIsFound(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *told) {
		f.mu.Lock()
		f.down = true // the stream stays open, and silent
		f.mu.Unlock()
		c.Refresh("a")
		time.Sleep(time.Second)
		synctest.Wait()
		if up, _ := c.Up(); up {
			t.Error("it is called up")
		}
	})
}

func TestEngineAbsentAtStart(t *testing.T) {
	f := newFake()
	f.down = true
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		c.Refresh("a")
		if s := c.Get("a"); s.Known || s.EngineUp {
			t.Errorf("%+v", s)
		}
		f.mu.Lock()
		f.down = false
		f.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := c.Get("a"); !s.Known || s.Run != nil || news.take()["a"] == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestStrangerWithOurName(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "X", observed.Running)
	f.put("lightd_install-a", "Y", observed.Running)
	f.foreign["lightd-a"], f.foreign["lightd_install-a"] = true, true
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *told) {
		c.Refresh("a")
		synctest.Wait()
		if s := c.Get("a"); s.Run != nil || s.Install != nil || s.RunNameTaken != "X" || s.InstallNameTaken != "Y" {
			t.Errorf("%+v", s)
		}
		f.remove("lightd-a")
		f.remove("lightd_install-a")
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if s := c.Get("a"); s.RunNameTaken != "" || s.InstallNameTaken != "" {
			t.Errorf("after it has gone: %+v", s)
		}
	})
}

func TestForget(t *testing.T) {
	f := newFake()
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *told) {
		f.put("lightd-a", "A", observed.Created)
		c.Refresh("a")
		synctest.Wait()
		c.Forget("a")
		if s := c.Get("a"); s.Run == nil {
			t.Error("forgotten while its container exists")
		}
		f.remove("lightd-a")
		f.tell("lightd-a", "A", "destroy")
		synctest.Wait()
		if s := c.Get("a"); s.Known {
			t.Error("remembered for nobody")
		}
	})
}
