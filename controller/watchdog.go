package controller

import (
	"context"
	"sync/atomic"
	"time"
)

// watchdog counts for how long no reconcile has ended though there was work. It counts its own ticks:
// a process that was stopped, or a clock that was set, is no stall.
type watchdog struct {
	underway atomic.Int64
	ended    atomic.Uint64
	idle     atomic.Int64 // ticks in a row with work and without an end
}

const (
	// watchdogTick is how often the watchdog compares.
	watchdogTick = time.Second
	// stalledAfter is how long no reconcile ends in a controller that is stalled, where the database
	// timeout, the longest that a worker waits, allows that.
	stalledAfter = 15 * time.Second
)

// begin counts a reconcile until what is returned is called.
func (w *watchdog) begin() (end func()) {
	w.underway.Add(1)
	return func() {
		w.underway.Add(-1)
		w.ended.Add(1)
	}
}

// run compares until ctx ends; queued is how many keys wait for a worker.
func (w *watchdog) run(ctx context.Context, queued func() int) {
	ticker := time.NewTicker(watchdogTick)
	defer ticker.Stop()
	for before := w.ended.Load(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := w.ended.Load()
		if now != before || w.underway.Load() == 0 && queued() == 0 {
			w.idle.Store(0)
		} else {
			w.idle.Add(1)
		}
		before = now
	}
}

// Stalled returns for how long no reconcile has ended though there was work, and 0 while that is
// no reason for concern.
func (c *Controller) Stalled() time.Duration {
	idle := time.Duration(c.watchdog.idle.Load()) * watchdogTick
	if idle < max(stalledAfter, 3*c.cfg.DatabaseTimeout) {
		return 0
	}
	return idle
}
