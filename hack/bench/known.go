package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"lightd/hack/simengine"
)

// restartTarget is how long a start may take until all is as it has to be.
const restartTarget = time.Second

// measureKnown measures how a daemon starts that has many running containers. The engine is
// simulated: a real one on a small machine does not hold so many.
func (l *lab) measureKnown(ctx context.Context) error {
	return l.simulated(func(sim *simengine.Sim, p *proxy) error {
		if err := l.populate(ctx, p); err != nil {
			return err
		}
		return l.measureRestarts(ctx, sim, p)
	})
}

// measureRestarts measures a start with nothing to do, and one with some to be started.
func (l *lab) measureRestarts(ctx context.Context, sim *simengine.Sim, p *proxy) error {
	known, ended := l.size.known, l.size.ended
	say("start again with %d known containers", known)
	took, calls, err := l.restart(ctx, p, 0)
	if err != nil {
		return err
	}
	lists, inspects, _ := census(calls)
	what := fmt.Sprintf("start with %d running containers known, until all are seen", known)
	l.report.Add(what, ms(took), "< 1 s", took < restartTarget, times("lightd", []time.Duration{took}))
	l.report.Add("  Docker calls of it", listed(calls), "1 list, 1 inspect each", lists == 1 && inspects <= known+max(10, known/100))
	for _, id := range l.crowd()[:ended] {
		if err := sim.Exit("lightd-"+id, 1); err != nil {
			return err
		}
	}
	took, calls, err = l.restart(ctx, p, ended)
	if err != nil {
		return err
	}
	l.report.Add(fmt.Sprintf("  the same, %d ended meanwhile, until all run", ended), ms(took), "< 1 s", took < restartTarget, times("lightd", []time.Duration{took}))
	// Each is looked at as it was found, and again once it was started.
	l.report.Note("  Docker calls of it", listed(calls))
	return nil
}

// crowd are the ids of the known containers.
func (l *lab) crowd() []string {
	ids := make([]string, l.size.known)
	for i := range ids {
		ids[i] = fmt.Sprintf("known-%d", i)
	}
	return ids
}

// populate has all of them created and running.
func (l *lab) populate(ctx context.Context, p *proxy) error {
	return l.with(ctx, p.host(), func(d *daemon) error {
		volumes, err := d.furnish(ctx, 1)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(l.crowd(), listSize) {
			mark := d.events.mark()
			if err := d.must(ctx, http.MethodPost, "/apply", l.crowdSpecs(part, volumes[0], nil), nil); err != nil {
				return err
			}
			if _, err := d.await(ctx, mark, "Running", part); err != nil {
				return err
			}
		}
		return settle(ctx, p)
	})
}

// crowdSpecs is the body of an apply of some of the known containers.
func (l *lab) crowdSpecs(ids []string, volume string, labels map[string]string) map[string]any {
	specs := make([]map[string]any, len(ids))
	for i, id := range ids {
		specs[i] = l.spec(id, volume, "running", 0)
		if labels != nil {
			specs[i]["labels"] = labels
		}
	}
	return map[string]any{"containers": specs}
}

// listSize is how many specs are applied at once.
const listSize = 1000

// restart starts the daemon and stops it again. It returns the time until all containers
// were told to run, of which it had to start some, and what it asked the engine.
func (l *lab) restart(ctx context.Context, p *proxy, starts int) (took time.Duration, calls []call, err error) {
	mark, began := p.mark(), time.Now()
	d, err := l.start(ctx, p.host())
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := l.awaitAll(ctx, d, p, mark, starts); err != nil {
		return 0, nil, err
	}
	took = time.Since(began)
	err = settle(ctx, p)
	calls, _ = p.since(mark)
	return took, calls, err
}

// awaitAll waits until the daemon has made its start calls and shows all containers running.
func (l *lab) awaitAll(ctx context.Context, d *daemon, p *proxy, mark, starts int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var list struct{ Containers []struct{ State string } }
		if err := d.must(ctx, http.MethodGet, "/containers", nil, &list); err != nil {
			return err
		}
		running := 0
		for _, c := range list.Containers {
			if c.State == "running" {
				running++
			}
		}
		calls, _ := p.since(mark)
		if _, _, made := census(calls); running == l.size.known && made >= starts {
			return nil
		}
		// A list of more containers costs the daemon more.
		if err := sleep(ctx, time.Duration(max(1, l.size.known/1000))*10*time.Millisecond); err != nil {
			return fmt.Errorf("wait for %d containers, %d run: %w", l.size.known, running, err)
		}
	}
}

// census counts the lists and inspects of containers, and the starts.
func census(calls []call) (lists, inspects, starts int) {
	for _, c := range calls {
		switch kind := c.kind(); {
		case kind == "GET /containers/json":
			lists++
		case slices.Contains([]string{"GET /containers/:run/json", "GET /containers/:install/json"}, kind):
			inspects++
		case strings.HasSuffix(kind, "/start"):
			starts++
		}
	}
	return lists, inspects, starts
}
