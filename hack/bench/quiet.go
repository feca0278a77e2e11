package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The bounds of resident memory, with no containers, with a fleet and with 1,000.
const (
	memoryEmpty = 20 << 20
	memoryFleet = 28 << 20
)

// quietCPU is the part of a core that containers may cost which nobody follows: 5 ms in 20 s.
const quietCPU = 0.005 / 20

// measureIdle measures a daemon that finds a fleet running when it starts.
func (l *lab) measureIdle(ctx context.Context) error {
	if err := l.leaveRunning(ctx, l.size.fleet); err != nil {
		return err
	}
	return l.proxied(l.docker.DaemonHost(), func(p *proxy) error {
		return l.with(ctx, p.host(), func(d *daemon) error {
			if err := d.awaitStates(ctx, l.names(), "running"); err != nil {
				return err
			}
			if err := l.measureQuiet(ctx, d, p, l.size.fleet); err != nil {
				return err
			}
			return l.reportMemory(d, fmt.Sprintf("resident memory, %d running", l.size.fleet), memoryFleet)
		})
	})
}

// leaveRunning has a daemon start so many containers of the fleet, and stops the daemon.
func (l *lab) leaveRunning(ctx context.Context, n int) error {
	l.size.fleet = n
	return l.with(ctx, l.docker.DaemonHost(), func(d *daemon) error {
		if err := l.openPool(ctx, d); err != nil {
			return err
		}
		_, err := l.through(ctx, d)
		return err
	})
}

// reportMemory adds a line with the present resident memory.
func (l *lab) reportMemory(d *daemon, what string, most int64) error {
	resident, err := d.resident()
	if err != nil {
		return err
	}
	l.report.Add(what, mb(resident), "<= "+mb(most), resident <= most, bytesOf("lightd", resident))
	return nil
}

// measureQuiet counts what so many containers cost that run and that nobody follows.
func (l *lab) measureQuiet(ctx context.Context, d *daemon, p *proxy, running int) error {
	if err := settle(ctx, p); err != nil {
		return err
	}
	say("quiet for %s", l.size.quiet)
	mark := p.mark()
	before, err := d.cpu()
	if err != nil {
		return err
	}
	if err := sleep(ctx, l.size.quiet); err != nil {
		return err
	}
	after, err := d.cpu()
	if err != nil {
		return err
	}
	calls, _ := p.since(mark)
	calls = slices.DeleteFunc(calls, func(c call) bool { return strings.HasSuffix(c.path, "/_ping") }) // one in 30 s, of the node
	part := float64(after-before) / float64(l.size.quiet)
	l.report.Add(fmt.Sprintf("Docker calls in %s, %d running", l.size.quiet, running), listed(calls), "0", len(calls) == 0)
	l.report.Add("  CPU time of the daemon meanwhile", fmt.Sprintf("%s (%.3f %% of a core)", ms(after-before), 100*part),
		fmt.Sprintf("< %.3f %% (5 ms in 20 s)", 100*quietCPU), part < quietCPU, times("lightd", []time.Duration{after - before}))
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
