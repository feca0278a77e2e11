package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// bootFleet containers run when the daemon starts, bootRounds times.
	bootFleet  = 20
	bootRounds = 7
	bootTarget = 80 * time.Millisecond
)

// measureBoot starts the daemon again and again beside running containers.
func (l *lab) measureBoot(ctx context.Context) error {
	if err := l.leaveRunning(ctx, bootFleet); err != nil {
		return err
	}
	var took []time.Duration
	for range min(bootRounds, l.size.rounds) {
		err := l.with(ctx, l.docker.DaemonHost(), func(d *daemon) error {
			took = append(took, d.answered)
			return nil
		})
		if err != nil {
			return err
		}
	}
	l.report.Add(fmt.Sprintf("start with %d known and running, exec to the API's answer", bootFleet), rangeOf(took),
		"median < "+ms(bootTarget), median(took) < bootTarget, times("lightd", took))
	return nil
}
