package engine

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestUntracedCallAllocatesNothing: where nobody traces, the hook of a call costs no memory.
func TestUntracedCallAllocatesNothing(t *testing.T) {
	e := &Engine{called: func(string, time.Duration, error) {}}
	ctx := t.Context()
	if got := testing.AllocsPerRun(100, func() {
		_ = e.observe(ctx, "ping", "host", func(context.Context) error { return nil })
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// TestCallIsObserved: both hooks get the error that the caller gets, and the call gets the context of the trace.
func TestCallIsObserved(t *testing.T) {
	type key struct{}
	var counted, traced error
	e := &Engine{called: func(_ string, _ time.Duration, err error) { counted = err }}
	e.calling = func(ctx context.Context, op, target string) (context.Context, func(error)) {
		return context.WithValue(ctx, key{}, op+" "+target), func(err error) { traced = err }
	}
	cause := errors.New("refused")
	err := e.observe(t.Context(), "ping", "host", func(ctx context.Context) error {
		if got := ctx.Value(key{}); got != "ping host" {
			t.Errorf("the call has the context of %v", got)
		}
		return cause
	})
	if !errors.Is(err, cause) || err.Error() != "ping host: refused" || !errors.Is(counted, err) || !errors.Is(traced, err) {
		t.Errorf("the caller has %v, the metrics %v, the trace %v", err, counted, traced)
	}
}
