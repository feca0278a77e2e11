package streams

import (
	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/rest"
)

const (
	defaultEvents = 100
	maxEvents     = 1000
)

// ContainerEvents is GET /containers/:id/events.
func (h *Handlers) ContainerEvents(c *gin.Context) error {
	if !h.exists(c.Param("id")) {
		return desired.ErrContainerNotFound
	}
	return h.pageEvents(c, c.Param("id"))
}

// AllEvents is GET /events.
func (h *Handlers) AllEvents(c *gin.Context) error { return h.pageEvents(c, "") }

func (h *Handlers) pageEvents(c *gin.Context, id string) error {
	query := c.Request.URL.Query()
	after, err := rest.Number(query, rest.QueryAfter, 0, 0, 1<<63)
	if err != nil {
		return err
	}
	limit, err := rest.Number(query, rest.QueryLimit, defaultEvents, 1, maxEvents)
	if err != nil {
		return err
	}
	events, last, err := h.journal.Page(id, after, int(limit))
	if err != nil {
		return err
	}
	return rest.OK(c, map[string]any{"events": rest.OrEmpty(events), "last_seq": last})
}
