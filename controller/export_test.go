package controller

import "context"

// Reconcile is for benchmarks.
func (c *Controller) Reconcile(ctx context.Context, id string) (Result, error) {
	return c.reconcile(ctx, id)
}
