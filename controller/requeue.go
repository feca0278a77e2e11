package controller

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// Result is when a key is to be reconciled again. The zero value is: when something happens.
type Result struct {
	// Again is at once, After a delay; 0 is none.
	Again bool
	After time.Duration
	// Refresh has the cache inspect the container first, which enqueues the key afterwards, and
	// the install container too where Install is true.
	Refresh, Install bool
}

// requeue turns a result into queue calls.
func (c *Controller) requeue(id string, r Result) {
	switch {
	case r.Refresh:
		c.cfg.Cache.Refresh(id, r.Install)
	case r.Again:
		c.queue.Add(id)
	case r.After > 0:
		c.queue.AddAfter(id, r.After)
	}
}

// work reconciles the next key, and reports whether the queue goes on. A reconcile that succeeds
// resets the delay of the next error, as in sample-controller.
func (c *Controller) work(ctx context.Context) bool {
	id, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(id)
	ctx = withLogger(ctx, c.log.With("reconcile_id", c.reconciles.Add(1)))
	switch result, err := c.reconcileRecovering(ctx, id); {
	case ctx.Err() != nil:
	case err != nil:
		c.logger(ctx).Error("reconcile failed", "container", id, "error", err)
		c.queue.AddRateLimited(id)
	default:
		c.queue.Forget(id)
		c.requeue(id, result)
	}
	return true
}

// reconcileRecovering keeps a panic over one container from taking the others down.
func (c *Controller) reconcileRecovering(ctx context.Context, id string) (result Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.logger(ctx).Error("panic in a reconcile", "container", id, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic while reconciling: %v", p)
		}
	}()
	return c.reconcile(ctx, id)
}
