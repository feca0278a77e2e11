package controller

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
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

// recoverPanic makes a panic of the function that defers it the error of that function: a bug over
// one container affects no other. The log gets the stack.
func recoverPanic(log *slog.Logger, err *error, in string, attrs ...any) {
	if p := recover(); p != nil {
		log.Error("panic in "+in, append(attrs, "panic", p, "stack", string(debug.Stack()))...)
		*err = fmt.Errorf("panic in %s: %v", in, p)
	}
}
