package httpapi

import (
	"net/url"
	"strconv"

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
	after, err := number(query, "after", 0, 0, 1<<63)
	if err != nil {
		return err
	}
	limit, err := number(query, "limit", defaultEvents, 1, maxEvents)
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

// number reads one query parameter that is a whole number in a range.
func number(query url.Values, name string, absent, low, high uint64) (uint64, error) {
	values := query[name]
	if len(values) == 0 {
		return absent, nil
	}
	n, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil || n < low || n > high || len(values) > 1 {
		return 0, invalid(Detail{Field: name, Message: "must be one whole number from " +
			strconv.FormatUint(low, 10) + " to " + strconv.FormatUint(high, 10)})
	}
	return n, nil
}
