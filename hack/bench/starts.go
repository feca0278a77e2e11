package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// names are the ids of the fleet.
func (l *lab) names() []string {
	ids := make([]string, fleet)
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

// measureStarts takes turns in starting a fleet raw, with 4 and with 8 calls at once, and
// through the daemon. The fleet of the last turn stays.
func (l *lab) measureStarts(ctx context.Context, d *daemon) error {
	say("idle for %s", idleTime)
	if err := sleep(ctx, idleTime); err != nil {
		return err
	}
	if err := l.reportMemory(d, "resident memory, no containers"); err != nil {
		return err
	}
	t, err := l.prepareStarts(ctx, d)
	if err != nil {
		return err
	}
	raw, through := map[int][]time.Duration{}, []time.Duration(nil)
	for round := range rounds {
		for _, atOnce := range []int{4, 8} {
			took, err := l.raw(ctx, t, round*10+atOnce, atOnce)
			if err != nil {
				return fmt.Errorf("raw, %d at once: %w", atOnce, err)
			}
			say("round %d: raw, %d at once: %s", round+1, atOnce, ms(took))
			raw[atOnce] = append(raw[atOnce], took)
			if _, err := l.sweep(ctx); err != nil {
				return err
			}
		}
		took, err := l.through(ctx, d)
		if err != nil {
			return err
		}
		say("round %d: lightd: %s", round+1, ms(took))
		through = append(through, took)
		if round == rounds-1 {
			break
		}
		if err := d.delete(ctx, l.names()); err != nil {
			return err
		}
	}
	l.reportStarts(raw, through)
	return nil
}

func (l *lab) reportStarts(raw map[int][]time.Duration, through []time.Duration) {
	best := 4
	if median(raw[8]) < median(raw[4]) {
		best = 8
	}
	ratio := float64(median(through)) / float64(median(raw[best]))
	l.table.Note(fmt.Sprintf("%d created and running, raw, %d at once", fleet, best), rangeOf(raw[best]))
	l.table.Note(fmt.Sprintf("%d created and running, lightd", fleet), rangeOf(through))
	l.table.Add("  lightd / raw, medians", fmt.Sprintf("%.2f", ratio), "<= 1.25", ratio <= 1.25)
}

func rangeOf(all []time.Duration) string {
	return fmt.Sprintf("median %s (%s to %s)", ms(median(all)), ms(slices.Min(all)), ms(slices.Max(all)))
}

// prepareStarts fills the pool and has one container made, so that the image is known and
// there is a template.
func (l *lab) prepareStarts(ctx context.Context, d *daemon) (*template, error) {
	pool := map[string]any{"ip": "127.0.0.1", "ports": fmt.Sprintf("%d-%d", l.ports, l.ports+fleet-1), "protocol": "tcp"}
	if err := d.must(ctx, http.MethodPost, "/network/ports", pool, nil); err != nil {
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
	volumes, err := d.furnish(ctx, fleet)
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
	group.SetLimit(fleet)
	for _, id := range ids {
		group.Go(func() error { return d.must(groupCtx, http.MethodDelete, "/containers/"+id, nil, nil) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err := d.await(ctx, mark, "Deleted", ids)
	return err
}
