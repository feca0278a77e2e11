package startpattern

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"lightd/observed/streams"
)

// silent is an output that nobody reads.
type silent struct{}

func (silent) Keep(string)                  {}
func (silent) Linger(string, time.Duration) {}

// TestExpensivePatternHoldsNobodyUp: while a flood is matched with the most expensive pattern that is
// allowed, everything that a worker calls answers at once, for this container and for others.
func TestExpensivePatternHoldsNobodyUp(t *testing.T) {
	r := New(Config{Changed: func(string) {}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	r.ReadFrom(silent{})
	defer r.Close()
	target := streams.Target{ContainerID: "c"}
	run := Run{StartedAt: time.Now()}
	if err := r.Expect("a", target, run, "(?:.?){400}[YZ]"); err != nil {
		t.Fatal(err)
	}
	line := append(bytes.Repeat([]byte("x"), 6000), '\n')
	for range 100 {
		r.Feed("a", streams.Run{Target: target, StartedAt: run.StartedAt}, 1, line)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r.AwaitRoom(ctx, "a") // whoever reads the output waits
	if ctx.Err() == nil {
		t.Error("more may be handed over")
	}
	for range 20 {
		began := time.Now()
		for _, id := range []string{"a", "b"} {
			if err := r.Expect(id, target, run, "(?:.?){400}[YZ]"); err != nil {
				t.Fatal(err)
			}
			if r.Matched(id, "c", run.StartedAt) {
				t.Error("matched")
			}
			r.Needs(id, target)
			r.Typed(id, streams.Run{Target: target}, []byte("x"))
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
		time.Sleep(time.Millisecond)
	}
}
