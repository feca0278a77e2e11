package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"lightd/observed"
	"lightd/observed/cache"
	"lightd/observed/engine"
)

const instance = "inst"

// fake is an engine in memory, for what depends on order and time.
type fake struct {
	mu         sync.Mutex
	containers map[string]observed.Container // by name
	// foreign holds the instance of those that are not ours; "" stands for no Lightd's.
	foreign map[string]string
	// owned holds the id of those of ours that lost their name.
	owned map[string]string
	// installs are those of them that run a script.
	installs map[string]bool
	down     bool
	inspects []string
	lists    int
	pings    int
	underway map[string]int
	most     int
	// delay is how long an inspection takes, after it has seen what it reports.
	delay time.Duration
	// failure, unless nil, is what inspections come to.
	failure error
	// prompt is the name of one that is inspected at once all the same.
	prompt string
	stream chan func(each func(engine.Event)) error
	// startedAfter is what each stream is opened with.
	startedAfter time.Time
	// since is from when each stream was requested.
	since []time.Time
	// log is the cache's logger; nil stands for the default.
	log *slog.Logger
}

func newFake() *fake {
	return &fake{
		containers: map[string]observed.Container{}, foreign: map[string]string{}, owned: map[string]string{}, installs: map[string]bool{}, underway: map[string]int{},
		stream: make(chan func(each func(engine.Event)) error),
	}
}

var errAway = fmt.Errorf("no engine: %w", cerrdefs.ErrUnavailable)

// Ping fails while the engine is down.
func (f *fake) Ping(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pings++
	if f.down {
		return errAway
	}
	return nil
}

func (f *fake) ListAll(context.Context) ([]engine.Listed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists++
	if f.down {
		return nil, errAway
	}
	var list []engine.Listed
	for name, c := range f.containers {
		if l := f.labels(name); l != nil {
			list = append(list, engine.Listed{ContainerID: c.ContainerID, Names: []string{name}, Labels: l,
				Phase: c.Phase, Endpoint: c.Endpoint, Networks: c.Networks})
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
		panic("two inspections of " + name)
	}
	f.most = max(f.most, len(f.underway))
	requested := name
	c, ok := f.containers[name]
	if !ok {
		for _, other := range f.containers {
			if other.ContainerID == name {
				c, ok, name = other, true, other.Name
			}
		}
	}
	failure := f.failure
	if f.delay > 0 && name != f.prompt {
		f.mu.Unlock()
		time.Sleep(f.delay)
		f.mu.Lock()
	}
	delete(f.underway, requested)
	switch {
	case failure != nil:
		return observed.Container{}, nil, failure
	case !ok:
		return observed.Container{}, nil, fmt.Errorf("%s: %w", name, cerrdefs.ErrNotFound)
	default:
		return c, f.labels(name), nil
	}
}

func (f *fake) ContainerEvents(ctx context.Context, since time.Time, opened func(time.Time), each func(engine.Event)) error {
	f.mu.Lock()
	down := f.down
	f.since = append(f.since, since)
	f.mu.Unlock()
	if down {
		return errAway
	}
	opened(f.startedAfter)
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

// labels are those of the container with a name, whosever it is. The caller holds mu.
func (f *fake) labels(name string) map[string]string {
	other, foreign := f.foreign[name]
	if foreign && other == "" {
		return nil
	}
	l := labels(name)
	if id := f.owned[name]; id != "" {
		l = labels(observed.RunName(id))
		if f.installs[name] {
			l = labels(observed.InstallName(id))
		}
	}
	if foreign {
		l[observed.LabelInstance] = other
	}
	return l
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
	c := observed.Container{ContainerID: containerID, Name: name, Role: observed.Role(labels(name)[observed.LabelRole]), State: observed.State{Phase: phase}}
	if phase != observed.Created {
		c.StartedAt = time.Now()
	}
	f.containers[name] = c
}

// strange makes a container that of an instance, or of no Lightd.
func (f *fake) strange(name, instance string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.foreign[name] = instance
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

// emit sends an event.
func (f *fake) emit(name, containerID, action string, more ...string) {
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

// notified counts the callbacks by id.
type notified struct {
	mu    sync.Mutex
	count map[string]int
}

func (c *notified) changed(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[id]++
}

func (c *notified) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := maps.Clone(c.count)
	clear(c.count)
	return all
}

// scene runs fn in a bubble with a cache that has made its first list.
func scene(t *testing.T, f *fake, fn func(t *testing.T, c *cache.Cache, news *notified)) {
	synctest.Test(t, func(t *testing.T) {
		f.stream = make(chan func(func(engine.Event)) error)
		for name, c := range f.containers { // the bubble has a time of its own
			if c.Phase != observed.Created {
				c.StartedAt = time.Now()
			}
			f.containers[name] = c
		}
		news := &notified{count: map[string]int{}}
		c := cache.New(cache.Config{Engine: f, Instance: instance, Changed: news.changed, Log: f.log})
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
