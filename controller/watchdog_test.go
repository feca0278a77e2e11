package controller

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestStalledController: reconciles that do not end are reported, and neither a slow one nor the
// absence of work is.
func TestStalledController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Controller{executor: &executor{cfg: Config{Timing: Timing{DatabaseTimeout: 5 * time.Second}}}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var queued atomic.Int64
		go c.watchdog.run(ctx, func() int { return int(queued.Load()) })
		expect := func(what string, stalled bool) {
			t.Helper()
			synctest.Wait()
			if got := c.Stalled(); got > 0 != stalled {
				t.Errorf("%s: stalled for %s", what, got)
			}
		}
		time.Sleep(time.Hour)
		expect("no work", false)
		end := c.watchdog.begin()
		time.Sleep(14 * time.Second)
		expect("a slow reconcile", false)
		time.Sleep(2 * time.Second)
		expect("a reconcile that hangs", true)
		end()
		time.Sleep(watchdogTick)
		expect("it has ended", false)
		queued.Store(3)
		time.Sleep(20 * time.Second)
		expect("no worker takes what is queued", true)
		for range 30 {
			c.watchdog.begin()()
			time.Sleep(time.Second)
		}
		expect("the queue is long, and gets shorter", false)
	})
}
