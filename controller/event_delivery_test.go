package controller_test

import (
	"context"
	"log/slog"
)

// heard is called with what a node logs, before it goes on.
type heard func(slog.Record)

func (heard) Enabled(context.Context, slog.Level) bool        { return true }
func (h heard) WithAttrs([]slog.Attr) slog.Handler            { return h }
func (h heard) WithGroup(string) slog.Handler                 { return h }
func (h heard) Handle(_ context.Context, r slog.Record) error { h(r); return nil }

// said returns a word of what is logged.
func said(r slog.Record, key string) (word string) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == key {
			word = a.Value.String()
		}
		return true
	})
	return word
}
