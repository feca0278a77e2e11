package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/wait"
)

const (
	// defaultTimeout bounds a wait that names no bound, maxTimeout every other.
	defaultTimeout = time.Minute
	maxTimeout     = 10 * time.Minute
	// maxWaits bounds how many requests wait at once unless told otherwise.
	maxWaits = 1000
	// grace is what a connection may take for an answer after a wait.
	grace = 10 * time.Second
	// tokenCheck is how often a wait looks whether the token that began it still holds.
	tokenCheck = 2 * time.Second
)

var errTooManyWaits = fail(http.StatusTooManyRequests, "too_many_waits", "Too many requests wait").with("Retry-After", "5")

// waiting is what a write waits for; the zero value for nothing.
type waiting struct {
	goal    api.Goal
	timeout time.Duration
}

// waitingOf reads it. A deletion waits for its end unless something else is asked for.
func (s *Server) waitingOf(r *http.Request, dryRun bool) (waiting, error) {
	query := r.URL.Query()
	if r.Method != http.MethodDelete || dryRun {
		return goalOf(query, dryRun)
	}
	if !query.Has(waitQuery) {
		timeout, err := timeoutOf(query, s.deleteWait)
		return waiting{goal: wait.Gone, timeout: timeout}, err
	}
	w, err := goalOf(query, dryRun)
	if err == nil && w.goal != api.UntilStopped {
		err = invalid(Detail{Field: waitQuery, Message: "must be stopped on a DELETE, which by itself waits for its end"})
	}
	return w, err
}

func goalOf(query url.Values, dryRun bool) (waiting, error) {
	goals, given := query[waitQuery]
	if !given {
		switch {
		case !query.Has(timeoutQuery):
		case dryRun:
			return waiting{}, invalid(Detail{Field: timeoutQuery, Message: "has no meaning with dry_run: nothing is waited for"})
		default:
			return waiting{}, invalid(Detail{Field: timeoutQuery, Message: "has no meaning without wait"})
		}
		return waiting{}, nil
	}
	w := waiting{goal: api.Goal(goals[0])}
	switch w.goal {
	case api.UntilInstalled, api.UntilRunning, api.UntilStopped, api.UntilSynced:
	default:
		return waiting{}, invalid(Detail{Field: waitQuery, Message: "must be installed, running, stopped or synced"})
	}
	switch {
	case len(goals) > 1:
		return waiting{}, invalid(Detail{Field: waitQuery, Message: "must be given once"})
	case dryRun:
		return waiting{}, invalid(Detail{Field: waitQuery, Message: "has no meaning with dry_run: nothing is written that could be waited for"})
	}
	var err error
	w.timeout, err = timeoutOf(query, defaultTimeout)
	return w, err
}

// timeoutOf reads how long a wait may take.
func timeoutOf(query url.Values, absent time.Duration) (time.Duration, error) {
	values, given := query[timeoutQuery]
	if !given {
		return absent, nil
	}
	timeout, err := time.ParseDuration(values[0])
	if err != nil || len(values) > 1 || timeout <= 0 || timeout > maxTimeout {
		return 0, invalid(Detail{Field: timeoutQuery, Message: "must be one duration above 0 and of at most 10m, as in 60s"})
	}
	return timeout, nil
}

// checkGoal says why what w waits for cannot come true when c is what is desired; empty when
// it can.
func (w waiting) checkGoal(c desired.Container) string {
	switch {
	case c.Deleting:
	case w.goal == api.UntilRunning && c.Power != desired.PowerRunning:
		return "cannot come true: power is " + string(c.Power)
	case w.goal == api.UntilStopped && c.Power != desired.PowerStopped:
		return "cannot come true: power is " + string(c.Power)
	}
	return ""
}

// targets are what is waited for of what was written. Of a container that is pruned nothing
// but its end can be.
func (w waiting) targets(written []store.Written) []wait.Target {
	var targets []wait.Target
	for _, one := range written {
		goal := w.goal
		if one.Deleting && goal == api.UntilSynced {
			goal = wait.Gone
		}
		if one.Deleting && goal != wait.Gone && goal != api.UntilStopped {
			continue
		}
		targets = append(targets, wait.TargetOf(goal, one.Container))
	}
	return targets
}

// look is what waits are judged by.
func (s *Server) look(id string) wait.Observation {
	container, found := s.specs.Container(id)
	st, _ := s.statuses.Get(id)
	up, _ := s.engine.Up()
	return wait.Observation{Container: container, Found: found, Status: st, EngineUp: up, Now: time.Now()}
}

// enter takes a place for the wait that a request asks for; nil when it asks for none, and for
// the end of a deletion that finds none: it is deleted all the same.
func (s *Server) enter(w waiting) (*wait.Wait, error) {
	if w.goal == "" {
		return nil, nil
	}
	entered, ok := s.waits.Register()
	if !ok && w.goal != wait.Gone {
		return nil, errTooManyWaits
	}
	return entered, nil
}

// await returns how a wait has ended; timedOut tells that its time ran out. An error is the
// answer where nobody is to be told: what was written stays written.
func (s *Server) await(c *gin.Context, w *wait.Wait, timeout time.Duration) (results map[string]wait.Result, timedOut bool, err error) {
	defer w.Cancel()
	timedOut, err = s.sleep(c, w, timeout)
	return w.Results(), timedOut, err
}

func (s *Server) sleep(c *gin.Context, w *wait.Wait, timeout time.Duration) (timedOut bool, err error) {
	// The server's own limits are made for requests that are answered at once.
	control := http.NewResponseController(c.Writer)
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Now().Add(timeout + grace))
	patience, check := time.NewTimer(timeout), time.NewTicker(s.tokenCheck)
	defer patience.Stop()
	defer check.Stop()
	grant := callerOf(c).grant
	for {
		select {
		case <-w.Done():
			return false, nil
		case <-patience.C:
			return true, nil
		case <-c.Request.Context().Done():
			return false, context.Cause(c.Request.Context())
		case <-s.closing:
			return false, errStoppingWait
		case <-check.C:
			if !s.tokens.Valid(grant) {
				return false, errUnauthorized
			}
		}
	}
}

var errStoppingWait = fail(http.StatusServiceUnavailable, "stopping",
	"Daemon is stopping; the request was accepted, and is waited for no longer").with("Retry-After", "5")

// waited completes a receipt with how the wait for it ended, and reports whether it was met.
func (s *Server) waited(receipt *api.Receipt, in waiting, r wait.Result, timedOut bool) bool {
	receipt.Wait = &api.Wait{For: in.goal, Met: r.Met, Reason: r.Reason, Message: r.Message}
	switch {
	case r.Done:
	case timedOut:
		receipt.Wait.Reason = api.ReasonTimeout
		receipt.Wait.Message = fmt.Sprintf("not %s within %s: %s", in.goal, in.timeout, r.Outcome)
	default:
		receipt.Wait.Reason = api.ReasonPending
		receipt.Wait.Message = fmt.Sprintf("not %s when the wait for another container ended in vain: %s", in.goal, r.Outcome)
	}
	if r.Reason != "" && r.Status.InternalID != "" {
		receipt.Conditions = conditionsAt(r.Status, s.sight())
	}
	return r.Met
}
