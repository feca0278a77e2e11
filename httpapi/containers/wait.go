package containers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/wait"

	"github.com/gin-gonic/gin"
)

const (
	// defaultTimeout bounds a wait that names no bound, maxTimeout every other.
	defaultTimeout = time.Minute
	maxTimeout     = 10 * time.Minute
	// grace is what a connection may take for an answer after a wait.
	grace = 10 * time.Second
)

var errTooManyWaits = rest.NewError(http.StatusTooManyRequests, "too_many_waits", "Too many requests wait").With("Retry-After", "5")

// waits are the requests that wait.
type waits struct {
	*wait.Registry
	auth       *auth.Authenticator
	containers auth.Containers
	deleteWait time.Duration
	checkEvery time.Duration
	closing    chan struct{}
}

// goal is what a write waits for; the zero value for nothing.
type goal struct {
	name    api.Goal
	timeout time.Duration
}

// Wait is GET /containers/:id/wait: it waits for the present spec, and is for whoever may read.
func (h *Handlers) Wait(c *gin.Context) error {
	w := &write{c: c, caller: auth.CallerOf(c.Request.Context())}
	container, found := w.caller.Find(h.store, c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	var err error
	if w.goal, err = namedGoal(c.Request.URL.Query(), false); err != nil {
		return err
	}
	if w.goal.name == "" {
		return rest.Invalid(rest.Detail{Field: rest.QueryWait, Message: "is missing: it must be installed, running, stopped or synced"})
	}
	if w.written, err = w.one(store.Written{Container: container, Action: desired.Unchanged}, nil); err != nil {
		return err
	}
	if w.pending, err = h.waits.register(w.goal); err != nil {
		return err
	}
	w.pending.For(w.goal.targets(w.written)...)
	return h.reply(w, http.StatusOK, receiptOf(nothingWritten, container))
}

// goalOf reads what a write waits for. A deletion waits for its end unless something else is asked for.
func (ws *waits) goalOf(r *http.Request, dryRun bool) (goal, error) {
	query := r.URL.Query()
	if r.Method != http.MethodDelete || dryRun {
		return namedGoal(query, dryRun)
	}
	if !query.Has(rest.QueryWait) {
		timeout, err := timeoutOf(query, ws.deleteWait)
		return goal{name: wait.Gone, timeout: timeout}, err
	}
	g, err := namedGoal(query, dryRun)
	if err == nil && g.name != api.UntilStopped {
		err = rest.Invalid(rest.Detail{Field: rest.QueryWait, Message: "must be stopped on a DELETE, which by itself waits for its end"})
	}
	return g, err
}

// namedGoal reads a goal that the query names.
func namedGoal(query url.Values, dryRun bool) (goal, error) {
	goals, given := query[rest.QueryWait]
	if !given {
		switch {
		case !query.Has(rest.QueryTimeout):
		case dryRun:
			return goal{}, rest.Invalid(rest.Detail{Field: rest.QueryTimeout, Message: "has no meaning with dry_run: nothing is waited for"})
		default:
			return goal{}, rest.Invalid(rest.Detail{Field: rest.QueryTimeout, Message: "has no meaning without wait"})
		}
		return goal{}, nil
	}
	g := goal{name: api.Goal(goals[0])}
	switch g.name {
	case api.UntilInstalled, api.UntilRunning, api.UntilStopped, api.UntilSynced:
	default:
		return goal{}, rest.Invalid(rest.Detail{Field: rest.QueryWait, Message: "must be installed, running, stopped or synced"})
	}
	switch {
	case len(goals) > 1:
		return goal{}, rest.Invalid(rest.Detail{Field: rest.QueryWait, Message: "must be given once"})
	case dryRun:
		return goal{}, rest.Invalid(rest.Detail{Field: rest.QueryWait, Message: "has no meaning with dry_run: nothing is written that could be waited for"})
	}
	var err error
	g.timeout, err = timeoutOf(query, defaultTimeout)
	return g, err
}

// timeoutOf reads how long a wait may take.
func timeoutOf(query url.Values, absent time.Duration) (time.Duration, error) {
	values, given := query[rest.QueryTimeout]
	if !given {
		return absent, nil
	}
	timeout, err := time.ParseDuration(values[0])
	if err != nil || len(values) > 1 || timeout <= 0 || timeout > maxTimeout {
		return 0, rest.Invalid(rest.Detail{Field: rest.QueryTimeout, Message: "must be one duration above 0 and of at most 10m, as in 60s"})
	}
	return timeout, nil
}

// unreachable says why g cannot be reached when c is what is desired; empty when it can.
func (g goal) unreachable(c desired.Container) string {
	switch {
	case c.Deleting:
	case g.name == api.UntilRunning && c.Suspended:
		return "cannot come true: the container is suspended"
	case g.name == api.UntilRunning && c.Power != desired.PowerRunning:
		return "cannot come true: power is " + string(c.Power)
	case g.name == api.UntilStopped && c.EffectivePower() != desired.PowerStopped:
		return "cannot come true: power is " + string(c.Power)
	}
	return ""
}

// targets are what is waited for of what was written. Of a container that is pruned nothing
// but its end can be.
func (g goal) targets(written []store.Written) []wait.Target {
	var targets []wait.Target
	for _, one := range written {
		name := g.name
		if one.Deleting && name == api.UntilSynced {
			name = wait.Gone
		}
		if one.Deleting && name != wait.Gone && name != api.UntilStopped {
			continue
		}
		targets = append(targets, wait.TargetOf(name, one.Container))
	}
	return targets
}

// register reserves the wait that a request asks for; nil when it asks for none, and for the end of a
// deletion when no wait is free: it is deleted all the same.
func (ws *waits) register(g goal) (*wait.Wait, error) {
	if g.name == "" {
		return nil, nil
	}
	pending, ok := ws.Register()
	if !ok && g.name != wait.Gone {
		return nil, errTooManyWaits
	}
	return pending, nil
}

// await returns how the wait of a write has ended; timedOut reports that its time ran out. After an
// error there is no result to answer with: what was written stays written.
func (ws *waits) await(w *write) (results map[string]wait.Result, timedOut bool, err error) {
	defer w.pending.Cancel()
	timedOut, err = ws.sleep(w)
	return w.pending.Results(), timedOut, err
}

func (ws *waits) sleep(w *write) (timedOut bool, err error) {
	ctx := w.c.Request.Context()
	rest.ReleaseBody(ctx)
	// The server's own limits are made for requests that are answered at once.
	control := http.NewResponseController(w.c.Writer)
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Now().Add(w.goal.timeout + grace))
	timeout, check := time.NewTimer(w.goal.timeout), time.NewTicker(ws.checkEvery)
	defer timeout.Stop()
	defer check.Stop()
	for {
		select {
		case <-w.pending.Done():
			return false, nil
		case <-timeout.C:
			return true, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-ws.closing:
			return false, errStoppingWait
		case <-check.C:
			if !ws.auth.Valid(ctx) {
				return false, auth.ErrUnauthorized
			}
			if ws.lost(w) {
				return false, desired.ErrContainerNotFound
			}
		}
	}
}

// lost reports whether a container that is waited for has gone out of what the caller's token is for.
func (ws *waits) lost(w *write) bool {
	return slices.ContainsFunc(w.written, func(one store.Written) bool {
		container, found := ws.containers.Container(one.InternalID)
		return found && !w.caller.Allows(container)
	})
}

var errStoppingWait = rest.NewError(http.StatusServiceUnavailable, "stopping",
	"Daemon is stopping; the request was accepted, and is waited for no longer").With("Retry-After", "5")

// outcome is how the wait for g ended, for a receipt.
func (g goal) outcome(r wait.Result, timedOut bool) *api.Wait {
	o := &api.Wait{For: g.name, Met: r.Met, Reason: r.Reason, Message: r.Message}
	switch {
	case r.Done:
	case timedOut:
		o.Reason = api.ReasonTimeout
		o.Message = fmt.Sprintf("not %s within %s: %s", g.name, g.timeout, r.Outcome)
	default:
		o.Reason = api.ReasonPending
		o.Message = fmt.Sprintf("not %s when the wait for another container ended in vain: %s", g.name, r.Outcome)
	}
	return o
}
