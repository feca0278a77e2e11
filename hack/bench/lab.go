package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/docker/docker/client"

	"lightd/hack/simengine"
)

// lab is what a scenario measures with. Each has a directory of its own in it.
type lab struct {
	run    string // in the name of everything that this run makes
	binary string
	image  string
	log    string
	config string // of the daemon; empty for none
	out    string // where plots are written
	size   size
	dir    string
	docker *client.Client
	ports  int // the first of a block of free ones
	report *report
}

func newLab(o options) (_ *lab, err error) {
	l := &lab{run: "bench-" + strconv.Itoa(os.Getpid()), binary: o.binary, image: o.image, out: o.out, size: full, report: &report{}}
	if o.quick {
		l.size = short
	}
	l.size.rounds = cmp.Or(o.rounds, l.size.rounds)
	if l.docker, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation()); err != nil {
		return nil, fmt.Errorf("make Docker client: %w", err)
	}
	if l.ports, err = freePorts(2 * l.size.fleet); err != nil {
		return nil, err
	}
	if l.dir, err = os.MkdirTemp("", "lightd-bench-"); err != nil {
		return nil, fmt.Errorf("make scratch directory: %w", err)
	}
	l.log = cmp.Or(o.log, filepath.Join(l.dir, "log"))
	return l, nil
}

// close leaves nothing behind, in Docker or on disk.
func (l *lab) close() error { return errors.Join(l.clean(), os.RemoveAll(l.dir), l.docker.Close()) }

// measure runs scenarios one after the other. One that fails is a line of the table, and the others
// go on.
func (l *lab) measure(ctx context.Context, chosen []scenario) (failed error) {
	for _, s := range chosen {
		began := time.Now()
		say("%s: %s", s.name, s.about)
		l.report.scenario = s.name
		err := l.apart(ctx, s)
		if err != nil && ctx.Err() == nil {
			l.report.Note(s.name, "DID NOT RUN: see above")
			say("%s: %v", s.name, err)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.name, err))
		}
		if ctx.Err() != nil {
			return failed
		}
		say("%s took %s", s.name, time.Since(began).Round(time.Second))
	}
	return failed
}

// apart measures a scenario on data of its own, and removes its containers from the engine.
func (l *lab) apart(ctx context.Context, s scenario) error {
	own := *l
	own.dir = filepath.Join(l.dir, s.name)
	if err := os.Mkdir(own.dir, 0o700); err != nil {
		return fmt.Errorf("make scratch directory: %w", err)
	}
	err := s.measure(&own, ctx)
	for removed := 1; removed > 0 && ctx.Err() == nil; {
		var unswept error
		if removed, unswept = l.sweep(ctx); unswept != nil {
			return errors.Join(err, unswept)
		}
	}
	// What is left to be written is not the next scenario's.
	return errors.Join(err, os.RemoveAll(own.dir))
}

// simulated measures on an engine that is simulated, through a proxy that sees the calls.
func (l *lab) simulated(measure func(sim *simengine.Sim, p *proxy) error) (err error) {
	sim := simengine.New(simengine.Options{AnyMounts: true, LogBytes: 1 << 10})
	defer func() { err = errors.Join(err, sim.Close()) }()
	sim.AddImage(l.image, simengine.ImageConfig{})
	socket := filepath.Join(l.dir, "sim.sock")
	if err := sim.Serve(socket); err != nil {
		return err
	}
	return l.proxied("unix://"+socket, func(p *proxy) error { return measure(sim, p) })
}

// proxied measures on an engine, through a proxy that sees the calls.
func (l *lab) proxied(host string, measure func(p *proxy) error) error {
	p, err := listen(filepath.Join(l.dir, "engine.sock"), host)
	if err != nil {
		return err
	}
	defer p.close()
	return measure(p)
}

// with starts a daemon on an engine, and stops it when fn returns.
func (l *lab) with(ctx context.Context, host string, fn func(d *daemon) error) error {
	d, err := l.start(ctx, host)
	if err != nil {
		return err
	}
	return errors.Join(fn(d), d.stop())
}
