package controller

import (
	"math/rand/v2"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// Retries of what failed for a reason that may pass: engine down, timeouts, 5xx.
const (
	retryFirst = 500 * time.Millisecond
	retryMost  = 5 * time.Minute
)

// jittered adds up to a fifth to what another limiter says, so that a thousand keys
// that failed together do not come back together.
type jittered struct {
	workqueue.TypedRateLimiter[string]
}

// newLimiter returns an exponential limiter whose delays, jitter included, are at most retryMost. The queue has one, for the errors of reconciles,
// and the steps have another: a reconcile that succeeds resets the first and not the second.
func newLimiter() workqueue.TypedRateLimiter[string] {
	return jittered{workqueue.NewTypedItemExponentialFailureRateLimiter[string](retryFirst, retryMost*5/6)}
}

// When returns the delay after one more failure of key.
func (l jittered) When(key string) time.Duration {
	d := l.TypedRateLimiter.When(key)
	return d + time.Duration(rand.Int64N(int64(d)/5+1))
}
