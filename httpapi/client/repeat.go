package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// repeat calls attempt until it succeeds or must not be tried again; failed is told of
// every attempt that is followed by another one.
func (c *Client) repeat(ctx context.Context, r request, attempt func() error, failed func(error)) error {
	o := retryBudget{patience: c.patience}
	for {
		err := attempt()
		if err == nil || r.once || !r.mayRepeat(err) {
			return err
		}
		if !o.pause(ctx, err) {
			return ended(ctx, err)
		}
		failed(err)
	}
}

// mayRepeat reports whether sending r again after err is safe and of use.
func (r request) mayRepeat(err error) bool {
	safe := r.repeats || !r.writes()
	var none *TransportError
	if errors.As(err, &none) {
		return !none.Sent || safe
	}
	var refusal *Error
	if !errors.As(err, &refusal) {
		return false
	}
	switch refusal.Status {
	case http.StatusTooManyRequests:
		return refusal.RetryAfter > 0 // otherwise waiting does not help
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return safe
	default:
		return false
	}
}

// ended returns err as the last word of a call, whose context may have ended meanwhile.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("%w; %w", err, context.Cause(ctx))
}

// ambiguous reports whether what failed like that may have been done.
func ambiguous(err error) bool { return errors.Is(err, ErrUnknownOutcome) }

// retryBudget is a time in which nothing succeeds.
type retryBudget struct {
	patience time.Duration
	began    time.Time // zero while all is well
	delay    time.Duration
}

// reset ends the outage.
func (o *retryBudget) reset() { o.began, o.delay = time.Time{}, 0 }

// pause waits before the next attempt, longer each time, never shorter than the daemon
// asked for. It returns false, at once, when the next attempt would come too late.
func (o *retryBudget) pause(ctx context.Context, err error) bool {
	if o.patience < 0 || ctx.Err() != nil {
		return false
	}
	if o.began.IsZero() {
		o.began, o.delay = time.Now(), firstPause
	}
	// Half of it is left to chance, so that not all come back at once.
	wait := o.delay/2 + rand.N(o.delay/2+1)
	o.delay = min(2*o.delay, maxPause)
	var refusal *Error
	if errors.As(err, &refusal) && refusal.RetryAfter > 0 {
		wait += refusal.RetryAfter
	}
	if time.Since(o.began)+wait > o.patience {
		return false
	}
	if end, has := ctx.Deadline(); has && time.Until(end) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// mayReconnect reports whether a stream that failed like that is worth another try.
func mayReconnect(err error) bool {
	var none *TransportError
	if errors.As(err, &none) {
		return true
	}
	var refusal *Error
	return errors.As(err, &refusal) && (refusal.Status == http.StatusTooManyRequests || refusal.Status >= 500)
}
