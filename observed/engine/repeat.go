package engine

import (
	"context"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// longRun is how long a run of Repeat takes that resets its backoff.
const longRun = 10 * time.Second

// repeatBackoff is the pauses of Repeat: from 100 ms to 3 s, each of which varies by half.
func repeatBackoff() wait.Backoff {
	return wait.Backoff{Duration: 50 * time.Millisecond, Cap: 1500 * time.Millisecond, Factor: 2, Jitter: 2, Steps: math.MaxInt}
}

// Repeat runs fn again and again until ctx ends, as one does with a stream that may break.
// The pauses between grow while fn keeps ending soon.
func Repeat(ctx context.Context, fn func(context.Context)) {
	for backoff := repeatBackoff(); ctx.Err() == nil; {
		began := time.Now()
		fn(ctx)
		if time.Since(began) >= longRun {
			backoff = repeatBackoff()
		}
		timer := time.NewTimer(backoff.Step())
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}
