package health

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"lightd/desired"
	"lightd/desired/subscribe"
	"lightd/observed"
	"lightd/observed/status"
)

// maxJitter bounds how much later the first probe of a run is, by chance.
const maxJitter = 10 * time.Second

// Sources are what is known of a container.
type Sources struct {
	// Spec returns the spec of an id, Seen what the engine shows of it, and Status what is recorded.
	Spec   func(id string) (desired.Container, bool)
	Seen   func(id string) observed.Snapshot
	Status func(id string) (status.Status, bool)
	// Image returns what is known of an image.
	Image func(ref string) observed.Image
}

// Config is what a Prober works with.
type Config struct {
	Sources
	Exec Executor
	// Changed is called, without any lock held, when Result has news of an id. It must not block.
	Changed func(id string)
}

// Prober probes containers. Run it once; its other methods may be used by any number of goroutines.
type Prober struct {
	cfg  Config
	wake chan struct{} // capacity 1

	mu      sync.Mutex
	noted   map[string]struct{} // ids of which something has changed; guarded by mu
	targets map[string]*target  // guarded by mu, as are the targets
	due     queue
	waiting map[class][]*target // due, and without room
	busy    map[class]int
}

// target is one run of a container with a check.
type target struct {
	id    string
	run   status.RunID
	check *desired.Health
	probe probe

	at       time.Time // when the next probe is due
	index    int       // in the queue; -1 outside
	cancel   context.CancelFunc
	gone     bool
	failures int
	result   observed.Health
}

// New returns a Prober that does nothing until it is Run.
func New(cfg Config) *Prober {
	return &Prober{
		cfg: cfg, wake: make(chan struct{}, 1), noted: map[string]struct{}{}, targets: map[string]*target{},
		waiting: map[class][]*target{}, busy: map[class]int{},
	}
}

// Notify reports that something of a container has changed: its spec, its status, or what the engine shows. It
// never blocks.
func (p *Prober) Notify(id string) {
	p.mu.Lock()
	p.noted[id] = struct{}{}
	p.mu.Unlock()
	p.poke()
}

// Result returns what the probes of a run have found.
func (p *Prober) Result(id string, run status.RunID) observed.Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.targets[id]; t != nil && t.run.Is(run) {
		return t.result
	}
	return observed.Health{}
}

func (p *Prober) poke() {
	subscribe.Wake(p.wake)
}

// Run probes until ctx ends, and returns when every probe has ended.
func (p *Prober) Run(ctx context.Context) error {
	var probes sync.WaitGroup
	defer probes.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		for _, id := range p.takeNoted() {
			p.reconcile(id)
		}
		for _, b := range p.begin(ctx, time.Now()) {
			probes.Go(func() { p.finish(b.target, b.probe(b.ctx)) })
		}
		timer.Reset(p.untilNext(time.Now()))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.wake:
		case <-timer.C:
		}
	}
}

func (p *Prober) takeNoted() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.noted {
		ids = append(ids, id)
	}
	clear(p.noted)
	return ids
}

// reconcile begins to probe a container, or ends it, as what is known of it demands.
func (p *Prober) reconcile(id string) {
	run, check, probe, wanted := p.wanted(id)
	p.mu.Lock()
	t := p.targets[id]
	news := false
	switch {
	case t == nil && !wanted, t != nil && wanted && t.run.Is(run) && t.check.Equal(check) && t.probe.same(probe):
		p.mu.Unlock()
		return
	case t != nil:
		p.dropLocked(t)
		news = t.result.Known
	}
	if wanted {
		first := time.Duration(check.After) + rand.N(min(time.Duration(check.Every), maxJitter))
		t = &target{id: id, run: run, check: check, probe: probe, at: time.Now().Add(first)}
		p.targets[id] = t
		heap.Push(&p.due, t)
	}
	p.mu.Unlock()
	if news {
		p.cfg.Changed(id)
	}
}

// wanted returns how a container is to be probed now, and of which run.
func (p *Prober) wanted(id string) (run status.RunID, check *desired.Health, how probe, wanted bool) {
	spec, found := p.cfg.Spec(id)
	if !found || spec.Health == nil || spec.Deleting || spec.Paused || spec.EffectivePower() != desired.PowerRunning {
		return run, nil, how, false
	}
	seen := p.cfg.Seen(id)
	if !seen.Known || !seen.EngineUp || seen.Run == nil || seen.Run.Phase != observed.Running {
		return run, nil, how, false
	}
	run = status.RunOf(seen.Run)
	st, _ := p.cfg.Status(id)
	if !st.Matched.Is(run) || st.Stopping != nil {
		return run, nil, how, false
	}
	how, wanted = probeOf(*spec.Health, seen.Run, p.cfg.Image(spec.Image))
	return run, spec.Health, how, wanted
}

// dropLocked ends the probes of a target.
func (p *Prober) dropLocked(t *target) {
	t.gone = true
	if t.cancel != nil {
		t.cancel()
	}
	if t.index >= 0 {
		heap.Remove(&p.due, t.index)
	}
	if p.targets[t.id] == t {
		delete(p.targets, t.id)
	}
}

// begun is a probe that begins.
type begun struct {
	*target
	ctx   context.Context
	probe func(context.Context) found
}

// begin returns the probes that begin now: those that waited for room come first.
func (p *Prober) begin(ctx context.Context, now time.Time) (ready []begun) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.due) > 0 && !p.due[0].at.After(now) {
		t := heap.Pop(&p.due).(*target)
		p.waiting[t.probe.class()] = append(p.waiting[t.probe.class()], t)
	}
	for class, list := range p.waiting {
		for len(list) > 0 && p.busy[class] < rooms[class] {
			t := list[0]
			list = list[1:]
			if t.gone {
				continue
			}
			p.busy[class]++
			probing, cancel := context.WithCancel(ctx)
			t.cancel, t.at = cancel, now
			probe, timeout := t.probe, time.Duration(t.check.Timeout)
			ready = append(ready, begun{t, probing, func(ctx context.Context) found { return probe.run(ctx, timeout, p.cfg.Exec) }})
		}
		p.waiting[class] = list
	}
	return ready
}

// finish keeps what a probe has found, and plans the next one.
func (p *Prober) finish(t *target, f found) {
	p.mu.Lock()
	t.cancel()
	t.cancel = nil
	p.busy[t.probe.class()]--
	news := false
	if !t.gone {
		news = t.take(f)
		if t.at = t.at.Add(time.Duration(t.check.Every)); t.at.Before(time.Now()) {
			t.at = time.Now()
		}
		heap.Push(&p.due, t)
	}
	p.mu.Unlock()
	p.poke()
	if news {
		p.cfg.Changed(t.id)
	}
}

// take counts what a probe has found, and reports whether the result is another one.
func (t *target) take(f found) bool {
	before := t.result
	switch f.verdict {
	case passed:
		t.failures = 0
		t.result = observed.Health{Known: true, Healthy: true}
	case failed:
		if t.failures++; t.failures >= t.check.Failures && (!before.Known || before.Healthy) {
			t.result = observed.Health{Known: true, Message: f.message}
		}
	}
	return t.result != before
}

// untilNext is how long nothing is due.
func (p *Prober) untilNext(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.due) == 0 {
		return time.Hour
	}
	return max(0, p.due[0].at.Sub(now))
}

// queue is a heap of targets by when they are due.
type queue []*target

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(t any) {
	t.(*target).index = len(*q)
	*q = append(*q, t.(*target))
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q, t.index = (*q)[:last], -1
	return t
}
