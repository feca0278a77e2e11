package controller

import (
	"context"
	"fmt"
	"time"

	"lightd/desired/store"
	"lightd/observed/status"
)

// EngineHealth reports whether the engine can be reached.
type EngineHealth interface {
	Up() (up bool, since time.Time)
	// Subscribe calls fn when the result of Up changes, and once when it is first known.
	Subscribe(fn func(up bool)) (cancel func())
}

// engineHealthRetry is the delay after an engine status that could not be recorded.
const engineHealthRetry = time.Second

// watchEngineHealth records, until ctx ends, when the engine becomes unreachable and reachable: the
// state of every container changes with it for readers who follow the records.
func (c *Controller) watchEngineHealth(ctx context.Context) {
	retry := time.NewTimer(0)
	retry.Stop()
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.healthChanged:
		case <-retry.C:
		}
		if err := c.recordEngineHealth(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("cannot record engine status", "error", err, "retry", engineHealthRetry)
			retry.Reset(engineHealthRetry)
		}
	}
}

func (c *Controller) recordEngineHealth(ctx context.Context) error {
	up, since := c.cfg.EngineHealth.Up()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DatabaseTimeout)
	defer cancel()
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return c.cfg.Statuses.PutEngineStatus(tx, status.EngineStatus{Up: up, Since: since.Round(0).UTC()})
	})
	if err != nil {
		return fmt.Errorf("record the engine status: %w", err)
	}
	return nil
}
