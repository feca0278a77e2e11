package controller

import (
	"context"
	"log/slog"
)

type loggerKey struct{}

// withLogger returns a context whose reconcile, and the step that it starts, log to l.
func withLogger(ctx context.Context, l *slog.Logger) context.Context {
	return context.WithValue(ctx, loggerKey{}, l)
}

// logger returns the logger of the reconcile that ctx belongs to: its lines, and those of the
// step that it starts, have one reconcile_id, as in controller-runtime.
func (e *executor) logger(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok {
		return l
	}
	return e.log
}
