package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// startsTarget is the part of the time of the Docker client alone.
const startsTarget = 1.05

// names are the ids of the fleet.
func (l *lab) names() []string {
	ids := make([]string, l.size.fleet)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", l.run, i)
	}
	return ids
}

// spec is the body that creates a container; port 0 asks for none.
func (l *lab) spec(id, volume, power string, port int) map[string]any {
	s := map[string]any{
		"internal_id": id, "image": l.image, "volume_id": volume, "power": power,
		"startup_command": "sleep 1000000",
		"limits":          map[string]any{"memory": 64 << 20, "cpu": 0.5},
	}
	if port != 0 {
		s["ports"] = []map[string]any{{"ip": "127.0.0.1", "port": port, "protocol": "tcp", "container_port": innerPort}}
	}
	return s
}

// furnish makes n volumes.
func (d *daemon) furnish(ctx context.Context, n int) ([]string, error) {
	volumes := make([]string, n)
	for i := range volumes {
		var made struct {
			VolumeID string `json:"volume_id"`
		}
		if err := d.must(ctx, http.MethodPost, "/volumes", nil, &made); err != nil {
			return nil, err
		}
		volumes[i] = made.VolumeID
	}
	return volumes, nil
}

// measureStarts starts a fleet raw and through the daemon in turn.
func (l *lab) measureStarts(ctx context.Context) error {
	return l.with(ctx, l.docker.DaemonHost(), func(d *daemon) error {
		say("idle for %s", l.size.idle)
		if err := sleep(ctx, l.size.idle); err != nil {
			return err
		}
		if err := l.reportMemory(d, "resident memory, no containers", memoryEmpty); err != nil {
			return err
		}
		t, err := l.prepareStarts(ctx, d)
		if err != nil {
			return err
		}
		best, err := l.bestConcurrency(ctx, t)
		if err != nil {
			return err
		}
		c := &comparison{
			what: fmt.Sprintf("%d created and running, lightd", l.size.fleet), beside: fmt.Sprintf("raw, %d at once", best),
			unit: "s", target: atMost(startsTarget),
		}
		return l.inTurn(ctx, func(i int) error {
			raw, err := l.rawAndSweep(ctx, t, strconv.Itoa(i), best)
			if err != nil {
				return err
			}
			took, err := l.through(ctx, d)
			if err != nil {
				return err
			}
			say("round %d: raw %s, lightd %s", i+1, ms(raw), ms(took))
			c.add(raw.Seconds(), took.Seconds())
			return d.delete(ctx, l.names())
		}, c)
	})
}

// bestConcurrency returns how many calls at once are the fastest raw.
func (l *lab) bestConcurrency(ctx context.Context, t *template) (int, error) {
	took := map[int][]time.Duration{}
	for i, atOnce := range []int{4, 8, 8, 4} {
		one, err := l.rawAndSweep(ctx, t, fmt.Sprintf("best-%d", i), atOnce)
		if err != nil {
			return 0, err
		}
		took[atOnce] = append(took[atOnce], one)
	}
	l.report.Note(fmt.Sprintf("%d created and running, raw, 4 and 8 at once", l.size.fleet),
		ms(median(took[4]))+", "+ms(median(took[8])), times("raw, 4 at once", took[4]), times("raw, 8 at once", took[8]))
	if median(took[8]) < median(took[4]) {
		return 8, nil
	}
	return 4, nil
}

// rawAndSweep starts a fleet raw, removes it, and returns how long the start took.
func (l *lab) rawAndSweep(ctx context.Context, t *template, round string, atOnce int) (time.Duration, error) {
	took, err := l.raw(ctx, t, round, atOnce)
	if err != nil {
		return 0, fmt.Errorf("raw, %d at once: %w", atOnce, err)
	}
	_, err = l.sweepRaw(ctx)
	return took, err
}

// openPool lets the daemon assign the ports of a fleet.
func (l *lab) openPool(ctx context.Context, d *daemon) error {
	pool := map[string]any{"ip": "127.0.0.1", "ports": fmt.Sprintf("%d-%d", l.ports, l.ports+l.size.fleet-1), "protocol": "tcp"}
	return d.must(ctx, http.MethodPost, "/network/ports", pool, nil)
}

// prepareStarts fills the pool and has one container made, so that the image is known and
// there is a template.
func (l *lab) prepareStarts(ctx context.Context, d *daemon) (*template, error) {
	if err := l.openPool(ctx, d); err != nil {
		return nil, err
	}
	volumes, err := d.furnish(ctx, 1)
	if err != nil {
		return nil, err
	}
	id, mark := l.run+"-first", d.events.mark()
	if err := d.must(ctx, http.MethodPost, "/containers", l.spec(id, volumes[0], "running", l.ports), nil); err != nil {
		return nil, err
	}
	if _, err := d.await(ctx, mark, "Running", []string{id}); err != nil {
		return nil, err
	}
	t, err := l.readTemplate(ctx, id)
	if err != nil {
		return nil, err
	}
	// The template's directory goes with the container.
	if t.dataDir, err = l.keep(t.dataDir); err != nil {
		return nil, err
	}
	return t, d.delete(ctx, []string{id})
}

// through creates a fleet through the daemon, and returns how long it took until the last
// one was told to be running.
func (l *lab) through(ctx context.Context, d *daemon) (time.Duration, error) {
	volumes, err := d.furnish(ctx, l.size.fleet)
	if err != nil {
		return 0, err
	}
	mark, began := d.events.mark(), time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, id := range l.names() {
		group.Go(func() error {
			return d.must(groupCtx, http.MethodPost, "/containers", l.spec(id, volumes[i], "running", l.ports+i), nil)
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	seen, err := d.await(ctx, mark, "Running", l.names())
	if err != nil {
		return 0, err
	}
	last := began
	for _, at := range seen {
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(began), nil
}

// delete deletes containers and waits until they are gone.
func (d *daemon) delete(ctx context.Context, ids []string) error {
	mark := d.events.mark()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, id := range ids {
		group.Go(func() error { return d.must(groupCtx, http.MethodDelete, "/containers/"+id, nil, nil) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err := d.await(ctx, mark, "Deleted", ids)
	return err
}
