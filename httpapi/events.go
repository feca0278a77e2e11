package httpapi

import (
	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/observed/journal"
)

const (
	defaultEvents = 100
	maxEvents     = 1000
)

// containerEvents is GET /containers/:id/events.
func (s *Server) containerEvents(c *gin.Context) error {
	if _, found := s.specs.Container(c.Param("id")); !found {
		return desired.ErrContainerNotFound
	}
	return s.pageEvents(c, c.Param("id"))
}

// allEvents is GET /events.
func (s *Server) allEvents(c *gin.Context) error { return s.pageEvents(c, "") }

func (s *Server) pageEvents(c *gin.Context, id string) error {
	query := c.Request.URL.Query()
	after, err := number(query, afterQuery, 0, 0, 1<<63)
	if err != nil {
		return err
	}
	limit, err := number(query, limitQuery, defaultEvents, 1, maxEvents)
	if err != nil {
		return err
	}
	events, last, err := s.journal.Page(id, after, int(limit))
	if err != nil {
		return err
	}
	if events == nil {
		events = []journal.Event{}
	}
	return ok(c, map[string]any{"events": events, "last_seq": last})
}
