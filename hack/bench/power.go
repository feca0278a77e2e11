package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"
)

// The parts of the time of the Docker client alone. Both goals beside the first are 1.0, to one digit.
const (
	startTarget  = 1.02
	killTarget   = 1.05
	removeTarget = 1.05
)

// measurePower starts, kills and deletes one container raw and through the daemon in turn.
func (l *lab) measurePower(ctx context.Context) error {
	return l.with(ctx, l.docker.DaemonHost(), func(d *daemon) error {
		t, err := l.prepareStarts(ctx, d)
		if err != nil {
			return err
		}
		all := []*comparison{
			{what: "start of a stopped container to running", beside: "raw, attach and start", unit: "s", target: atMost(startTarget)},
			{what: "kill to offline", beside: "raw, kill and wait", unit: "s", target: atMost(killTarget)},
			{what: "delete of a running one until it is gone", beside: "raw, remove by force", unit: "s", target: atMost(removeTarget)},
		}
		return l.inTurn(ctx, func(i int) error {
			raw, err := l.rawPower(ctx, t, i)
			if err != nil {
				return fmt.Errorf("raw: %w", err)
			}
			ours, err := l.daemonPower(ctx, d, i)
			if err != nil {
				return err
			}
			for n, c := range all {
				c.add(raw[n].Seconds(), ours[n].Seconds())
			}
			return nil
		}, all...)
	})
}

// rawPower returns how long a start, a kill and a removal take by the Docker client alone.
func (l *lab) rawPower(ctx context.Context, t *template, i int) (took [3]time.Duration, err error) {
	at, err := l.newPlace(t, "power-"+strconv.Itoa(i))
	if err != nil {
		return took, err
	}
	id, err := l.createRaw(ctx, t, at, 0)
	if err != nil {
		return took, err
	}
	began := time.Now()
	conn, err := l.docker.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return took, err
	}
	defer conn.Close()
	if err := l.docker.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return took, err
	}
	took[0] = time.Since(began)
	began = time.Now()
	if err := l.docker.ContainerKill(ctx, id, "KILL"); err != nil {
		return took, err
	}
	ended, failed := l.docker.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case <-ended:
	case err := <-failed:
		return took, err
	}
	took[1] = time.Since(began)
	if err := l.docker.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return took, err
	}
	began = time.Now()
	err = l.docker.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
	took[2] = time.Since(began)
	return took, err
}

// daemonPower is the same through the daemon, until the event of each.
func (l *lab) daemonPower(ctx context.Context, d *daemon, i int) (took [3]time.Duration, err error) {
	volumes, err := d.furnish(ctx, 1)
	if err != nil {
		return took, err
	}
	ids, mark := []string{fmt.Sprintf("%s-power-%d", l.run, i)}, d.events.mark()
	if err := d.must(ctx, http.MethodPost, "/containers", l.spec(ids[0], volumes[0], "stopped", l.ports), nil); err != nil {
		return took, err
	}
	if _, err := d.await(ctx, mark, "Ready", ids); err != nil {
		return took, err
	}
	if took[0], err = d.power(ctx, ids, "start", "Running"); err != nil {
		return took, err
	}
	if took[1], err = d.power(ctx, ids, "kill", "Exited"); err != nil {
		return took, err
	}
	if _, err = d.power(ctx, ids, "start", "Running"); err != nil {
		return took, err
	}
	began := time.Now()
	err = d.delete(ctx, ids)
	took[2] = time.Since(began)
	return took, err
}
