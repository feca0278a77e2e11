package containers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/view"
	"lightd/observed/status"
)

// powerAction is a power action: how it changes what is desired, in the light of what is.
type powerAction struct {
	message string
	apply   func(c *desired.Container, seen powerState) error
}

// powerState is what a power action depends on: the recorded status, and the state as it is shown.
type powerState struct {
	status status.Status
	state  status.State
}

var powerActions = map[string]powerAction{
	"start":   {"Container start initiated", start},
	"stop":    {"Container stop initiated", stop},
	"kill":    {"Container kill initiated", kill},
	"restart": {"Container restart initiated", restart},
}

// Power returns the handler of POST /containers/:id/<action>.
func (h *Handlers) Power(action string) func(*gin.Context) error {
	p := powerActions[action]
	return func(c *gin.Context) error {
		w, err := h.newWrite(c)
		if err != nil {
			return err
		}
		if err := rest.NoBody(c); err != nil {
			return err
		}
		grace, err := graceOf(c.Request.URL.Query())
		if err != nil {
			return err
		}
		change := h.applying(p)
		return h.change(w, p.message, func(c *desired.Container) error {
			ended := c.Power == desired.PowerStopped && h.views.State(h.views.Status(c.InternalID)) == status.StateOffline
			if err := change(c); err != nil || grace == nil || ended {
				return err
			}
			c.Grace = grace
			return nil
		})
	}
}

// graceOf reads how long a stop may take; nil where its request does not say so.
func graceOf(query url.Values) (*desired.Duration, error) {
	values, given := query[rest.QueryGrace]
	if !given {
		return nil, nil
	}
	grace, err := time.ParseDuration(values[0])
	if err != nil || len(values) > 1 || grace < 0 || grace > desired.MaxStopTimeout {
		return nil, rest.Invalid(rest.Detail{Field: rest.QueryGrace, Message: fmt.Sprintf("must be one duration from 0s to %s, as in 30s", desired.MaxStopTimeout)})
	}
	d := desired.Duration(grace)
	return &d, nil
}

// applying returns the change of a power action.
func (h *Handlers) applying(p powerAction) func(*desired.Container) error {
	return func(c *desired.Container) error {
		st := h.views.Status(c.InternalID)
		return p.apply(c, powerState{status: st, state: h.views.State(st)})
	}
}

// RunPower is the same write for a client of a WebSocket.
func (h *Handlers) RunPower(ctx context.Context, id, action string) error {
	p, known := powerActions[action]
	if !known {
		return rest.NewError(http.StatusBadRequest, "invalid", "action must be start, stop, kill or restart")
	}
	var written store.Written
	err := h.transactions.Run(ctx, false, func(tx *store.Tx) error {
		old, err := findIn(tx, auth.CallerOf(ctx), id)
		if err != nil {
			return err
		}
		container, err := tx.ChangeContainer(id, h.applying(p))
		written = store.Compare(old, container)
		return err
	})
	if err == nil {
		auth.RequestOf(ctx).LogWrite(ctx, h.log, "WEBSOCKET", action, written)
	}
	return err
}

var errFailedInstall = rest.NewError(http.StatusConflict, "installation_failed", "Cannot start a container whose installation failed")

var errSuspended = rest.NewError(http.StatusConflict, "suspended", "Container is suspended")

// canStart refuses what would start a container that must not run.
func canStart(c *desired.Container, seen powerState) error {
	switch {
	case c.Suspended:
		return errSuspended
	case view.InstallFailed(*c, seen.status):
		return errFailedInstall
	}
	return nil
}

// start changes nothing while the process starts or runs, or while a start is on its
// way. Otherwise it counts, so that it also ends a backoff or a rest.
func start(c *desired.Container, seen powerState) error {
	if err := canStart(c, seen); err != nil {
		return err
	}
	if c.Power == desired.PowerRunning && !c.Kill {
		pending := c.Requests.Start > seen.status.StartHandled
		if pending || seen.state == status.StateStarting || seen.state == status.StateRunning {
			return nil
		}
	}
	c.Power, c.Kill = desired.PowerRunning, false
	c.Requests.Start++
	return nil
}

// stop leaves a kill in progress as it is.
func stop(c *desired.Container, _ powerState) error {
	if c.Power != desired.PowerStopped {
		c.Power, c.Kill, c.Grace = desired.PowerStopped, false, nil
	}
	return nil
}

func kill(c *desired.Container, seen powerState) error {
	if c.Power == desired.PowerStopped && seen.state == status.StateOffline {
		return nil
	}
	c.Power, c.Kill = desired.PowerStopped, true
	return nil
}

func restart(c *desired.Container, seen powerState) error {
	if err := canStart(c, seen); err != nil {
		return err
	}
	c.Power, c.Kill = desired.PowerRunning, false
	c.Requests.Restart++
	return nil
}
