package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"golang.org/x/sync/errgroup"
)

const (
	crashMedian = 2 * time.Millisecond
	crashP99    = 8 * time.Millisecond
	// slow is when a crash is told in detail.
	slow = 100 * time.Millisecond
)

// measureCrash has a fleet crash beside many stopped containers.
func (l *lab) measureCrash(ctx context.Context) error {
	return l.proxied(l.docker.DaemonHost(), func(p *proxy) error {
		return l.with(ctx, p.host(), func(d *daemon) error {
			if err := l.openPool(ctx, d); err != nil {
				return err
			}
			if _, err := l.through(ctx, d); err != nil {
				return err
			}
			if err := l.createMore(ctx, d); err != nil {
				return err
			}
			if err := settle(ctx, p); err != nil {
				return err
			}
			return l.measureCrashes(ctx, d, p)
		})
	})
}

// createMore creates the stopped containers.
func (l *lab) createMore(ctx context.Context, d *daemon) error {
	say("create %d stopped containers", l.size.more)
	volumes, err := d.furnish(ctx, 1)
	if err != nil {
		return err
	}
	ids, mark := make([]string, l.size.more), d.events.mark()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-more-%d", l.run, i)
		group.Go(func() error {
			return d.must(groupCtx, http.MethodPost, "/containers", l.spec(ids[i], volumes[0], "stopped", 0), nil)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err = d.await(ctx, mark, "Ready", ids)
	return err
}

// crash is one process killed from outside and started by the daemon: the engine's own
// time of the end, and when the start call came by.
type crash struct{ died, started time.Time }

// measureCrashes kills every container from outside, one at a time, as its first crash.
func (l *lab) measureCrashes(ctx context.Context, d *daemon, p *proxy) error {
	var gaps []time.Duration
	mark := p.mark()
	for round := range l.size.crashRounds {
		if round > 0 {
			if err := l.forgive(ctx, d); err != nil {
				return err
			}
		}
		say("crash each of %d containers", l.size.fleet)
		for _, id := range l.names() {
			c, err := l.crash(ctx, d, p, id)
			if err != nil {
				return fmt.Errorf("crash of %s: %w", id, err)
			}
			gaps = append(gaps, c.started.Sub(c.died))
		}
		if round == 0 {
			calls, _ := p.since(mark)
			l.report.Note(fmt.Sprintf("Docker calls for %d crashes", l.size.fleet), listed(calls))
		}
	}
	what := fmt.Sprintf("die event to start call, %d crashes, %d known", len(gaps), l.size.fleet+l.size.more)
	l.report.Add(what, spread(gaps), "median < 2 ms, p99 < 8 ms", median(gaps) < crashMedian && quantile(gaps, 0.99) < crashP99, times("lightd", gaps))
	return nil
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
		Since: engineTime(since), Until: engineTime(time.Now()),
		Filters: filters.NewArgs(filters.Arg("container", containerID), filters.Arg("event", "die")),
	})
	select {
	case m := <-messages:
		return time.Unix(0, m.TimeNano), nil
	case err := <-failed:
		return time.Time{}, fmt.Errorf("look for the die event: %w", err)
	}
}

// engineTime is a time as the engine takes it.
func engineTime(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

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
func (l *lab) forgive(ctx context.Context, d *daemon) error { return d.killAndStart(ctx, l.names()) }

func (d *daemon) killAndStart(ctx context.Context, ids []string) error {
	for _, step := range []struct{ action, then string }{{"kill", "Exited"}, {"start", "Running"}} {
		if _, err := d.power(ctx, ids, step.action, step.then); err != nil {
			return err
		}
	}
	return nil
}

// power requests an action of each container, and returns how long it took until all had the event.
func (d *daemon) power(ctx context.Context, ids []string, action, then string) (time.Duration, error) {
	mark, began := d.events.mark(), time.Now()
	for _, id := range ids {
		if err := d.must(ctx, http.MethodPost, "/containers/"+id+"/"+action, nil, nil); err != nil {
			return 0, err
		}
	}
	seen, err := d.await(ctx, mark, then, ids)
	last := began
	for _, at := range seen {
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(began), err
}
