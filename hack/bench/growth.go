package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lightd/hack/plot"
	"lightd/hack/simengine"
)

const (
	// growthSamples is how often a figure of one size is measured that can be repeated.
	growthSamples = 5

	memory1000   = 45 << 20
	memory10000  = 120 << 20
	boot1000     = 300 * time.Millisecond
	boot10000    = 2 * time.Second
	resyncTarget = 100 * time.Millisecond // of CPU, 10,000 unchanged
)

// grown is one figure at each size.
type grown struct {
	name, unit string
	sizes      []int
	samples    [][]float64
}

func (g *grown) add(size int, samples ...float64) {
	g.sizes, g.samples = append(g.sizes, size), append(g.samples, samples)
}

// growing are the figures, in the order in which they are measured.
type growing struct {
	api, observed, memory, resync, list, queue, queueMean grown
}

func (g *growing) all() []*grown {
	return []*grown{&g.api, &g.observed, &g.memory, &g.resync, &g.list, &g.queue, &g.queueMean}
}

// measureGrowth measures the daemon with more and more known containers, draws each figure over their
// number, and names what bends first.
func (l *lab) measureGrowth(ctx context.Context) error {
	g := &growing{
		api: grown{name: "exec to the API's answer", unit: "s"}, observed: grown{name: "exec until all are observed", unit: "s"},
		memory: grown{name: "resident memory", unit: "B"}, resync: grown{name: "CPU of a resync without a difference", unit: "s"},
		list: grown{name: "GET /containers", unit: "s"}, queue: grown{name: "queue latency p99 while all change", unit: "s"},
		queueMean: grown{name: "queue latency mean while all change", unit: "s"},
	}
	for _, n := range l.size.growth {
		own := *l
		own.size.known = n
		own.dir = filepath.Join(l.dir, fmt.Sprint(n))
		if err := os.Mkdir(own.dir, 0o700); err != nil {
			return fmt.Errorf("make scratch directory: %w", err)
		}
		say("%d containers", n)
		if err := own.simulated(func(sim *simengine.Sim, p *proxy) error { return own.grow(ctx, sim, p, g) }); err != nil {
			// What the smaller sizes showed is kept.
			return errors.Join(fmt.Errorf("%d containers: %w", n, err), l.reportGrowth(g))
		}
		if err := os.RemoveAll(own.dir); err != nil {
			return err
		}
	}
	return l.reportGrowth(g)
}

// grow measures one size.
func (l *lab) grow(ctx context.Context, sim *simengine.Sim, p *proxy, g *growing) error {
	if err := l.populate(ctx, p); err != nil {
		return err
	}
	n, mark := l.size.known, p.mark()
	return l.with(ctx, p.host(), func(d *daemon) error {
		if err := l.awaitAll(ctx, d, p, mark, 0); err != nil {
			return err
		}
		if err := settle(ctx, p); err != nil {
			return err
		}
		g.api.add(n, d.answered.Seconds())
		calls, _ := p.since(mark)
		g.observed.add(n, calls[len(calls)-1].at.Sub(d.began).Seconds())
		if err := sleep(ctx, l.size.idle); err != nil {
			return err
		}
		resident, err := d.resident()
		if err != nil {
			return err
		}
		g.memory.add(n, float64(resident))
		if err := growResync(ctx, d, sim, p, &g.resync, n); err != nil {
			return err
		}
		lists, err := timedTimes(growthSamples, func() error { return d.must(ctx, http.MethodGet, "/containers", nil, nil) })
		if err != nil {
			return err
		}
		g.list.add(n, seconds(lists...)...)
		return l.growQueue(ctx, d, g)
	})
}

// growResync breaks the event stream: the daemon connects and lists anew, and finds no difference.
func growResync(ctx context.Context, d *daemon, sim *simengine.Sim, p *proxy, to *grown, n int) error {
	var took []float64
	for range growthSamples {
		mark := p.mark()
		before, err := d.cpu()
		if err != nil {
			return err
		}
		if sim.CutStreams("/events") == 0 {
			return fmt.Errorf("break the event stream: there is none")
		}
		if err := awaitList(ctx, p, mark); err != nil {
			return err
		}
		if err := settle(ctx, p); err != nil {
			return err
		}
		after, err := d.cpu()
		if err != nil {
			return err
		}
		took = append(took, (after - before).Seconds())
	}
	to.add(n, took...)
	return nil
}

// awaitList waits until the daemon has listed the containers since a mark.
func awaitList(ctx context.Context, p *proxy, mark int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		calls, news := p.since(mark)
		if lists, _, _ := census(calls); lists > 0 {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("wait for a list: %w", context.Cause(ctx))
		}
	}
}

// reportGrowth adds the figures, checks those that have a target, and draws each.
func (l *lab) reportGrowth(g *growing) error {
	targets := map[*grown]map[int]float64{
		&g.memory: {1000: memory1000, 10_000: memory10000},
		&g.api:    {1000: boot1000.Seconds(), 10_000: boot10000.Seconds()},
		&g.resync: {10_000: resyncTarget.Seconds()},
	}
	if err := os.MkdirAll(l.out, 0o755); err != nil {
		return fmt.Errorf("make a directory for the plots: %w", err)
	}
	for _, figure := range g.all() {
		var curve plot.Curve
		for i, n := range figure.sizes {
			value := medianOf(figure.samples[i])
			curve.Points = append(curve.Points, plot.At{X: float64(n), Y: value})
			what := fmt.Sprintf("%s, %d known", figure.name, n)
			behind := series{Of: "lightd", Unit: figure.unit, Containers: n, Samples: figure.samples[i]}
			if most, ok := targets[figure][n]; ok {
				l.report.Add(what, inUnit(value, figure.unit), "<= "+inUnit(most, figure.unit), value <= most, behind)
			} else {
				l.report.Note(what, inUnit(value, figure.unit), behind)
			}
		}
		curve.Title, curve.Unit = figure.name, figure.unit
		if err := l.draw(curve); err != nil {
			return err
		}
	}
	l.report.BendFirst = bendsFirst(g.all())
	return nil
}

// draw writes a curve beside the figures.
func (l *lab) draw(c plot.Curve) error {
	file := "-growth-" + strings.NewReplacer(" ", "-", "'", "", "/", "").Replace(strings.ToLower(c.Title)) + ".svg"
	f, err := os.Create(filepath.Join(l.out, l.report.name(file)))
	if err != nil {
		return fmt.Errorf("draw %s: %w", c.Title, err)
	}
	defer f.Close()
	return plot.WriteGrowth(f, "containers", c)
}
