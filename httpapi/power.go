package httpapi

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed/status"
)

// powerAction is a power action: how it changes what is desired, in the light of what is.
type powerAction struct {
	message string
	apply   func(c *desired.Container, seen powerState) error
}

// powerState is what a verb may look at: the recorded status, and the state as a client is told it.
type powerState struct {
	status status.Status
	state  status.State
}

var verbs = map[string]powerAction{
	"start":   {"Container start initiated", start},
	"stop":    {"Container stop initiated", stop},
	"kill":    {"Container kill initiated", kill},
	"restart": {"Container restart initiated", restart},
}

// powerRoute answers POST /containers/:id/<action>.
func (s *Server) powerRoute(action string) handler {
	v := verbs[action]
	return func(c *gin.Context) error {
		in, err := s.writeOptionsOf(c)
		if err != nil {
			return err
		}
		if err := s.noBody(c); err != nil {
			return err
		}
		return s.change(c, in, v.message, s.applying(v))
	}
}

func (s *Server) applying(v powerAction) func(*desired.Container) error {
	return func(c *desired.Container) error {
		st, _ := s.statuses.Get(c.InternalID)
		return v.apply(c, powerState{status: st, state: s.state(st)})
	}
}

// power is the same write for a client of the WebSocket.
func (s *Server) power(ctx context.Context, id, action string) error {
	v, known := verbs[action]
	if !known {
		return fail(http.StatusBadRequest, "invalid", "action must be start, stop, kill or restart")
	}
	ctx, cancel := context.WithTimeout(ctx, s.databaseTimeout)
	defer cancel()
	var done store.Written
	err := s.specs.Update(ctx, func(tx *store.Tx) error {
		old, err := tx.Container(id)
		if err != nil {
			return err
		}
		container, err := tx.ChangeContainer(id, s.applying(v))
		done = store.Compare(old, container)
		return err
	})
	if err == nil {
		s.logWrite(ctx, requestOf(ctx), "WEBSOCKET", action, done)
	}
	return err
}

var errFailedInstall = fail(http.StatusConflict, "installation_failed", "Cannot start a container whose installation failed")

// start changes nothing while the process starts or runs, or while a start is on its
// way. Otherwise it counts, so that it also ends a backoff or a rest.
func start(c *desired.Container, seen powerState) error {
	if installFailed(*c, seen.status) {
		return errFailedInstall
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
		c.Power, c.Kill = desired.PowerStopped, false
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
	if installFailed(*c, seen.status) {
		return errFailedInstall
	}
	c.Power, c.Kill = desired.PowerRunning, false
	c.Requests.Restart++
	return nil
}
