package rest

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired/store"
)

// Transactions runs the transactions of requests.
type Transactions struct {
	Store interface {
		Update(ctx context.Context, fn func(*store.Tx) error) error
		// DryRun runs fn and discards what it wrote.
		DryRun(fn func(*store.Tx) error) error
	}
	// Timeout bounds what a request waits for the database.
	Timeout time.Duration
	// Wrote, unless nil, is called with the context of a request and each container that it has written: by the
	// committer, before anybody is notified of the change. It must not block.
	Wrote func(ctx context.Context, id string)
}

// Run runs fn in a transaction, or only tries it.
func (t Transactions) Run(ctx context.Context, dryRun bool, fn func(*store.Tx) error) error {
	if dryRun {
		return t.Store.DryRun(fn)
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	if t.Wrote == nil {
		return t.Store.Update(ctx, fn)
	}
	return t.Store.Update(ctx, func(tx *store.Tx) error {
		err := fn(tx)
		for _, id := range tx.Touched() {
			tx.AfterCommit(func() { t.Wrote(ctx, id) })
		}
		return err
	})
}

// Context bounds the context of a request by the time that it waits for the database.
func (t Transactions) Context(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Request.Context(), t.Timeout)
}
