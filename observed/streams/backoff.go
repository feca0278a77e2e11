package streams

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// MinRetry and MaxRetry bound the pause before a stream that ended is opened again.
	MinRetry = 100 * time.Millisecond
	MaxRetry = 5 * time.Second
)

// Backoff returns pauses that double from first to last.
func Backoff(first, last time.Duration) wait.Backoff {
	return wait.Backoff{Duration: first, Cap: last, Factor: 2, Steps: math.MaxInt}
}

// RetryBackoff returns the pauses between attempts to open a stream.
func RetryBackoff() wait.Backoff { return Backoff(MinRetry, MaxRetry) }
