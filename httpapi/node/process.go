package node

import (
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/rest"
)

// Process answers the routes of what the daemon itself is like.
type Process struct {
	// Metrics answers with the metrics, whose format it chooses by the headers of the request.
	Metrics http.Handler
}

// ReadMetrics is GET /metrics.
func (h *Process) ReadMetrics(c *gin.Context) error {
	h.Metrics.ServeHTTP(c.Writer, c.Request)
	return nil
}

// maxProfile bounds how long a profile is recorded. The answer has to begin within the deadline of writes.
const maxProfile = 60

var errNoProfile = rest.NewError(http.StatusNotFound, "profile_not_found",
	"Profile not found; there are allocs, block, goroutine, heap, mutex, profile, threadcreate and trace")

// ReadProfile is GET /debug/pprof/:profile, of net/http/pprof.
func (h *Process) ReadProfile(c *gin.Context) error {
	query := c.Request.URL.Query()
	seconds, err := rest.Number(query, rest.QuerySeconds, 0, 0, maxProfile)
	if err != nil {
		return err
	}
	if _, err := rest.Number(query, rest.QueryDebug, 0, 0, 2); err != nil {
		return err
	}
	// Absent seconds are 30 of a CPU profile.
	limit := time.Duration(max(seconds, 30))*time.Second + time.Minute
	if err := http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	switch name := c.Param("profile"); name {
	case "profile":
		pprof.Profile(c.Writer, c.Request)
	case "trace":
		pprof.Trace(c.Writer, c.Request)
	case "allocs", "block", "goroutine", "heap", "mutex", "threadcreate":
		pprof.Handler(name).ServeHTTP(c.Writer, c.Request)
	default:
		return errNoProfile
	}
	return nil
}
