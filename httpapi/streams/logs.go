package streams

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/sessions"
	"lightd/httpapi/socket"
	"lightd/observed/console"
)

// defaultTail is how many lines of output are given to those who do not say from where.
const defaultTail = 200

var (
	errNoLog  = rest.NewError(http.StatusNotFound, "log_not_found", "Log not found")
	errEngine = rest.NewError(http.StatusServiceUnavailable, "engine_unavailable", "The log comes from Docker, which does not answer, or fails").With("Retry-After", "5")
)

// ReadLogs is GET /containers/:id/logs.
func (h *Handlers) ReadLogs(c *gin.Context) error {
	id, ctx := c.Param("id"), c.Request.Context()
	if _, found := auth.CallerOf(ctx).Find(h.store, id); !found {
		return desired.ErrContainerNotFound
	}
	query := c.Request.URL.Query()
	follow, err := rest.Flag(query, rest.QueryFollow)
	if err != nil {
		return err
	}
	from, err := beginning(query, defaultTail)
	if err != nil {
		return err
	}
	if from.Stamps, err = rest.Flag(query, rest.QueryStamps); err != nil {
		return err
	}
	if from.Stamps && follow {
		return rest.Invalid(rest.Detail{Field: rest.QueryStamps, Message: "has no meaning together with follow: the times are those of Docker's log"})
	}
	err = h.sockets.ServeText(c.Writer, c.Request, socket.Session{ID: id, From: from, Valid: h.validity(ctx, id), Log: h.logOf(ctx)}, follow)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, console.ErrNoContainer):
		return errNoLog
	case errors.Is(err, sessions.ErrTooMany), errors.Is(err, sessions.ErrClosed), errors.Is(err, socket.ErrGone):
		return socketProblem(err)
	}
	if ctx.Err() == nil {
		h.log.Warn("log cannot be read", append(auth.RequestOf(ctx).Attrs(), "container", id, "error", err)...)
	}
	return errEngine
}
