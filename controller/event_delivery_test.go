package controller_test

import (
	"context"
	"log/slog"
)

// logHook is called with each record that a node logs, before the log call returns.
type logHook func(slog.Record)

func (logHook) Enabled(context.Context, slog.Level) bool        { return true }
func (h logHook) WithAttrs([]slog.Attr) slog.Handler            { return h }
func (h logHook) WithGroup(string) slog.Handler                 { return h }
func (h logHook) Handle(_ context.Context, r slog.Record) error { h(r); return nil }

// attrOf returns the value of a key of a log record.
func attrOf(r slog.Record, key string) (word string) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == key {
			word = a.Value.String()
		}
		return true
	})
	return word
}
