package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

// The pauses of Repeat, each of which varies by half, and how long a run lives that
// counts as a success.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 3 * time.Second
	longLife   = 10 * time.Second
)

// Repeat runs fn again and again until ctx ends, as one does with a stream that may break.
// The pauses between grow while fn keeps ending soon.
func Repeat(ctx context.Context, fn func(context.Context)) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		began := time.Now()
		fn(ctx)
		if time.Since(began) >= longLife {
			pause = firstPause
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}
