package controller

import (
	"maps"
	"math/rand/v2"
	"time"

	"k8s.io/client-go/util/workqueue"

	"lightd/controller/plan"
)

// Delays after failures whose cause may pass: engine down, timeouts, 5xx.
const (
	retryFirst = 500 * time.Millisecond
	retryMost  = 5 * time.Minute
)

// newLimiter returns the limiter of the queue, which counts the errors of reconciles.
func newLimiter() workqueue.TypedRateLimiter[string] {
	return jittered{workqueue.NewTypedItemExponentialFailureRateLimiter[string](retryFirst, retryMost*5/6)}
}

// jittered adds up to a fifth to the delays of another limiter, so that a thousand keys that
// failed together do not come back together.
type jittered struct {
	workqueue.TypedRateLimiter[string]
}

// When returns the delay after one more failure of key, at most retryMost.
func (l jittered) When(key string) time.Duration { return jitter(l.TypedRateLimiter.When(key)) }

func jitter(d time.Duration) time.Duration { return d + time.Duration(rand.Int64N(int64(d)/5+1)) }

// stepBackoff holds the failed steps of one key back, each kind for itself. The zero value holds
// nothing back. A copy may be read without a lock: no method changes a map in place.
type stepBackoff struct {
	// count is how many failures with a growing delay there were since the last reset.
	count    int
	failures map[plan.Kind]failure
	// stale is true once a step has failed on a stale target since the last reset.
	stale bool
}

// failure is the last failure of a kind of step.
type failure struct {
	at         time.Time
	generation int64
	retry      time.Time
	// count is how often the kind has failed in a row.
	count int
	// staleTarget, unless empty, is the container that another client removed or changed first: a
	// step on another container is not held back, once.
	staleTarget string
}

// left returns how long a step is held back. A new generation of the spec, and an engine that was
// lost since and is back, end the backoff early.
func (b stepBackoff) left(step plan.Step, in plan.Input) time.Duration {
	f := b.failures[step.Kind]
	if f.staleTarget != "" && step.Target != f.staleTarget || in.Spec.Generation != f.generation || in.Seen.EngineLost.After(f.at) {
		return 0
	}
	return time.Until(f.retry)
}

// next returns the attempt that follows the last failure of a kind.
func (b stepBackoff) next(kind plan.Kind) plan.Attempt {
	f := b.failures[kind]
	return plan.Attempt{At: f.retry, Number: f.count + 1}
}

// held returns the kinds of step that are held back on any container.
func (b stepBackoff) held(in plan.Input) map[plan.Kind]plan.Attempt {
	var held map[plan.Kind]plan.Attempt
	for kind, f := range b.failures {
		if f.staleTarget == "" && b.left(plan.Step{Kind: kind}, in) > 0 {
			if held == nil {
				held = map[plan.Kind]plan.Attempt{}
			}
			held[kind] = b.next(kind)
		}
	}
	return held
}

// failedFor reports whether a kind of step has failed for a generation of the spec.
func (b stepBackoff) failedFor(kind plan.Kind, generation int64) bool {
	f, failed := b.failures[kind]
	return failed && f.generation == generation
}

// failed records a failure. The step is held back for a delay that doubles with each failure of the key up to
// retryMost. Where most is not 0 the cause is an external one, and the delay doubles up to most with each failure
// of the kind.
func (b *stepBackoff) failed(step plan.Step, generation int64, most time.Duration, stale bool, now time.Time) (retry time.Duration) {
	count := b.failures[step.Kind].count + 1
	retry = plan.BlockedDelay(count, most)
	if most == 0 {
		b.count++
		retry = jitter(min(retryFirst<<min(b.count-1, 20), retryMost*5/6))
	}
	f := failure{at: now, generation: generation, retry: now.Add(retry), count: count}
	if stale && !b.stale {
		b.stale, f.staleTarget = true, step.Target
	}
	b.failures = maps.Clone(b.failures)
	if b.failures == nil {
		b.failures = map[plan.Kind]failure{}
	}
	b.failures[step.Kind] = f
	return retry
}

// due has a kind that failed tried at once; what follows is a first failure again.
func (b *stepBackoff) due(kind plan.Kind, now time.Time) {
	if f, failed := b.failures[kind]; failed {
		f.retry, f.count = now, 0
		b.failures = maps.Clone(b.failures)
		b.failures[kind] = f
	}
}

// succeeded ends the backoff of a kind. Only with the last failed kind is the whole state reset:
// the success of another step, which may be one of a circle that leads back to the failed one,
// does not bring that one forward.
func (b *stepBackoff) succeeded(kind plan.Kind) {
	if b.failures = maps.Clone(b.failures); b.failures != nil {
		delete(b.failures, kind)
	}
	if len(b.failures) == 0 {
		b.reset()
	}
}

// reset is for a container that is in sync: the next failure has another cause.
func (b *stepBackoff) reset() { *b = stepBackoff{} }
