package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

const (
	memoryTarget = 40 << 20
	crashMedian  = 5 * time.Millisecond
	crashMost    = 50 * time.Millisecond
	// quietCPU is the part of a core that containers may cost which nobody follows.
	quietCPU = 0.001
	// slow is when a crash is told in detail.
	slow = 100 * time.Millisecond
)

// reportMemory adds a line with the present resident memory.
func (l *lab) reportMemory(d *daemon, what string) error {
	resident, err := d.resident()
	if err != nil {
		return err
	}
	l.table.Add(what, fmt.Sprintf("%.1f MB", float64(resident)/(1<<20)), "< 40 MB", resident < memoryTarget)
	return nil
}

// measureQuiet counts what so many containers cost that run and that nobody follows.
func (l *lab) measureQuiet(ctx context.Context, d *daemon, p *proxy, running int) error {
	if err := settle(ctx, p); err != nil {
		return err
	}
	say("quiet for %s", quietTime)
	mark := p.mark()
	before, err := d.cpu()
	if err != nil {
		return err
	}
	if err := sleep(ctx, quietTime); err != nil {
		return err
	}
	after, err := d.cpu()
	if err != nil {
		return err
	}
	calls, _ := p.since(mark)
	part := float64(after-before) / float64(quietTime)
	l.table.Add(fmt.Sprintf("Docker calls in %s, %d running", quietTime, running), listed(calls), "0", len(calls) == 0)
	l.table.Add("  CPU time of the daemon meanwhile", fmt.Sprintf("%s (%.2f %% of a core)", after-before, 100*part),
		"< 0.1 %", part < quietCPU)
	return nil
}

// settle waits until the daemon has asked the engine nothing for two seconds.
func settle(ctx context.Context, p *proxy) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for mark := -1; mark != p.mark(); {
		mark = p.mark()
		if err := sleep(ctx, 2*time.Second); err != nil {
			return fmt.Errorf("wait for the daemon to come to rest: %w", err)
		}
	}
	return nil
}

// listed is the number of calls, and of which kinds they were.
func listed(calls []call) string {
	counts := map[string]int{}
	for _, c := range calls {
		counts[c.kind()]++
	}
	text := fmt.Sprint(len(calls))
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		text += fmt.Sprintf("; %d %s", counts[kind], kind)
	}
	return text
}

// crash is one process killed from outside and started by the daemon: the engine's own
// time of the end, and when the start call came by.
type crash struct{ died, started time.Time }

// measureCrashes kills every container from outside, one at a time, as its first crash.
func (l *lab) measureCrashes(ctx context.Context, d *daemon, p *proxy) error {
	var gaps []time.Duration
	mark := p.mark()
	for round := range crashRounds {
		if round > 0 {
			if err := l.forgive(ctx, d); err != nil {
				return err
			}
		}
		say("crash each of %d containers", fleet)
		for _, id := range l.names() {
			c, err := l.crash(ctx, d, p, id)
			if err != nil {
				return fmt.Errorf("crash of %s: %w", id, err)
			}
			gaps = append(gaps, c.started.Sub(c.died))
		}
		if round == 0 {
			calls, _ := p.since(mark)
			l.table.Note(fmt.Sprintf("Docker calls for %d crashes", fleet), listed(calls))
		}
	}
	what := fmt.Sprintf("die event to start call, %d crashes, %d known", len(gaps), fleet+requests)
	l.table.Add(what, spread(gaps), "median < 5 ms, p99 < 50 ms", median(gaps) < crashMedian && quantile(gaps, 0.99) < crashMost)
	return nil
}

// measureCrash measures only crashes, beside as many containers as all of measure leaves.
func (l *lab) measureCrash(ctx context.Context) (err error) {
	p, err := listen(filepath.Join(l.dir, "engine.sock"), l.docker.DaemonHost())
	if err != nil {
		return err
	}
	defer p.close()
	d, err := l.start(ctx, p.host())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if _, err := l.prepareStarts(ctx, d); err != nil {
		return err
	}
	if _, err := l.through(ctx, d); err != nil {
		return err
	}
	return l.measureCrowded(ctx, d, p)
}

// measureCrowded measures requests, and crashes beside what the requests have made.
func (l *lab) measureCrowded(ctx context.Context, d *daemon, p *proxy) error {
	if err := l.measureAPI(ctx, d); err != nil {
		return err
	}
	if err := settle(ctx, p); err != nil {
		return err
	}
	return l.measureCrashes(ctx, d, p)
}

func (l *lab) crash(ctx context.Context, d *daemon, p *proxy, id string) (c crash, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	seen, err := l.docker.ContainerInspect(ctx, "lightd-"+id)
	if err != nil {
		return c, err
	}
	mark, told, began := p.mark(), d.events.mark(), time.Now()
	if err := l.docker.ContainerKill(ctx, seen.ID, "SIGKILL"); err != nil {
		return c, err
	}
	if c.started, err = awaitStart(ctx, p, mark, seen.ID); err != nil {
		return c, err
	}
	if _, err = d.await(ctx, told, "Running", []string{id}); err != nil {
		return c, err
	}
	// Whoever listened meanwhile would take its time from the daemon.
	if c.died, err = l.death(ctx, seen.ID, began); err != nil {
		return c, err
	}
	if c.started.Sub(c.died) > slow {
		l.explain(id, c, p, mark)
	}
	return c, nil
}

// death returns when the first process of a container ended after since, by the engine's event.
func (l *lab) death(ctx context.Context, containerID string, since time.Time) (time.Time, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages, failed := l.docker.Events(ctx, events.ListOptions{
		Since: unix(since), Until: unix(time.Now()),
		Filters: filters.NewArgs(filters.Arg("container", containerID), filters.Arg("event", "die")),
	})
	select {
	case m := <-messages:
		return time.Unix(0, m.TimeNano), nil
	case err := <-failed:
		return time.Time{}, fmt.Errorf("look for the die event: %w", err)
	}
}

// unix is a time as the engine takes it.
func unix(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// explain tells what the daemon asked the engine around a crash that took long.
func (l *lab) explain(id string, c crash, p *proxy, mark int) {
	say("  %s was slow; after the die event, in ms:", id)
	calls, _ := p.since(mark)
	for _, one := range calls {
		say("    %.1f %s", since(c, one.at), one.kind())
	}
}

func since(c crash, at time.Time) float64 { return float64(at.Sub(c.died)) / float64(time.Millisecond) }

func awaitStart(ctx context.Context, p *proxy, mark int, containerID string) (time.Time, error) {
	for {
		calls, news := p.since(mark)
		if i := slices.IndexFunc(calls, func(c call) bool { return c.starts() == containerID }); i >= 0 {
			return calls[i].at, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("wait for the start call: %w", context.Cause(ctx))
		}
	}
}

// forgive stops and starts all containers through the daemon, which forgets the crashes.
func (l *lab) forgive(ctx context.Context, d *daemon) error {
	for _, step := range []struct{ action, then string }{{"kill", "Exited"}, {"start", "Running"}} {
		mark := d.events.mark()
		for _, id := range l.names() {
			if err := d.must(ctx, http.MethodPost, "/containers/"+id+"/"+step.action, nil, nil); err != nil {
				return err
			}
		}
		if _, err := d.await(ctx, mark, step.then, l.names()); err != nil {
			return err
		}
	}
	return nil
}

// measureAPI measures requests one after the other, beside a fleet that runs.
func (l *lab) measureAPI(ctx context.Context, d *daemon) error {
	say("%d requests of each kind", requests)
	volumes, err := d.furnish(ctx, 1)
	if err != nil {
		return err
	}
	reads, err := timed(func(i int) error {
		return d.must(ctx, http.MethodGet, "/containers/"+l.names()[i%fleet], nil, nil)
	})
	if err != nil {
		return err
	}
	more, mark := make([]string, requests), d.events.mark()
	for i := range more {
		more[i] = fmt.Sprintf("%s-more-%d", l.run, i)
	}
	writes, err := timed(func(i int) error {
		return d.must(ctx, http.MethodPost, "/containers", l.spec(more[i], volumes[0], "stopped", 0), nil)
	})
	if err != nil {
		return err
	}
	if _, err := d.await(ctx, mark, "Ready", more); err != nil {
		return err
	}
	l.table.Note(fmt.Sprintf("GET /containers/:id, %d known", fleet), spread(reads))
	l.table.Note(fmt.Sprintf("POST /containers, %d known, on disk when answered", fleet), spread(writes))
	return nil
}

// timed runs fn often enough, and returns how long each time took.
func timed(fn func(i int) error) ([]time.Duration, error) {
	took := make([]time.Duration, requests)
	for i := range took {
		began := time.Now()
		if err := fn(i); err != nil {
			return nil, err
		}
		took[i] = time.Since(began)
	}
	return took, nil
}
