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
}

// Run runs fn in a transaction, or only tries it.
func (t Transactions) Run(ctx context.Context, dryRun bool, fn func(*store.Tx) error) error {
	if dryRun {
		return t.Store.DryRun(fn)
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	return t.Store.Update(ctx, fn)
}

// Context bounds the context of a request by the time that it waits for the database.
func (t Transactions) Context(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Request.Context(), t.Timeout)
}
