package httpapi

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/sessions"
	"lightd/httpapi/socket"
	"lightd/observed/console"
)

// defaultTail is how many lines of output are given to those who do not say from where.
const defaultTail = 200

var (
	errNoLog  = fail(http.StatusNotFound, "log_not_found", "Log not found")
	errEngine = fail(http.StatusServiceUnavailable, "engine_unavailable", "Docker does not give the log").with("Retry-After", "5")
)

// readLogs is GET /containers/:id/logs.
func (s *Server) readLogs(c *gin.Context) error {
	id := c.Param("id")
	if !s.exists(id) {
		return desired.ErrContainerNotFound
	}
	query := c.Request.URL.Query()
	follow, err := flag(query, followQuery)
	if err != nil {
		return err
	}
	from, err := beginning(query, defaultTail)
	if err != nil {
		return err
	}
	err = s.sockets.ServeText(c.Writer, c.Request, socket.Session{ID: id, From: from, Valid: s.validity(callerOf(c).grant)}, follow)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, console.ErrNoContainer):
		return errNoLog
	case errors.Is(err, sessions.ErrTooMany), errors.Is(err, sessions.ErrClosed), errors.Is(err, socket.ErrGone):
		return socketProblem(err)
	}
	if c.Request.Context().Err() == nil {
		s.log.Warn("log cannot be read", "container", id, "error", err)
	}
	return errEngine
}
