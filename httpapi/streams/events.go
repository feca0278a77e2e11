package streams

import (
	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/observed/journal"
)

const (
	defaultEvents = 100
	maxEvents     = 1000
)

// ContainerEvents is GET /containers/:id/events.
func (h *Handlers) ContainerEvents(c *gin.Context) error {
	if _, found := auth.CallerOf(c.Request.Context()).Find(h.store, c.Param("id")); !found {
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
	events, last, err := h.visiblePage(auth.CallerOf(c.Request.Context()), id, after, int(limit))
	if err != nil {
		return err
	}
	return rest.OK(c, map[string]any{"events": rest.OrEmpty(events), "last_seq": last})
}

// visiblePage is Journal.Page of the events that a caller's token is for.
func (h *Handlers) visiblePage(who *auth.Caller, id string, after uint64, limit int) (page []journal.Event, last uint64, err error) {
	if !who.Bound() {
		return h.journal.Page(id, after, limit)
	}
	for {
		events, last, err := h.journal.Page(id, after, maxEvents)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range events {
			if !h.allowsEvent(who, e) {
				continue
			}
			if page = append(page, e); len(page) == limit {
				return page, e.Seq, nil
			}
		}
		if len(events) < maxEvents {
			return page, last, nil
		}
		after = last
	}
}

// allowsEvent reports whether a caller's token is for what an event is about. An event has no labels: by
// a selector, it is of the container that has the id now, and so of none that had it before.
func (h *Handlers) allowsEvent(who *auth.Caller, e journal.Event) bool {
	switch {
	case !who.Bound():
		return true
	case e.InternalID == "" || !who.AllowsID(e.InternalID):
		return false
	case who.Containers.Selector == "":
		return true
	}
	container, found := who.Find(h.store, e.InternalID)
	return found && !e.Time.Before(container.CreatedAt)
}
