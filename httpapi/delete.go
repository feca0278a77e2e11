package httpapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
)

// deleteContainer is DELETE /containers/:id: it marks, and then waits for the end.
func (s *Server) deleteContainer(c *gin.Context) error {
	if err := s.noBody(c); err != nil {
		return err
	}
	id := c.Param("id")
	// Listening comes before the mark, so that no removal is too fast to be heard.
	changed, cancel := s.changes.listen(id)
	defer cancel()
	generation, err := s.markDeleted(c, id)
	if err != nil {
		return err
	}
	if s.awaitRemoval(c.Request.Context(), id, changed) {
		return ok(c, map[string]any{"message": "Container deleted successfully", "internal_id": id, "generation": generation})
	}
	reply(c.Writer, c.Request, http.StatusAccepted,
		map[string]any{"message": "Container deletion started", "internal_id": id, "generation": generation})
	return nil
}

// markDeleted returns the generation of the mark, which may be somebody else's.
func (s *Server) markDeleted(c *gin.Context, id string) (int64, error) {
	pre, err := preconditionOf(c.Request.Header)
	if err != nil {
		return 0, err
	}
	ctx, cancel := s.databaseTime(c)
	defer cancel()
	container, err := s.specs.Change(ctx, id, func(c *desired.Container) error {
		if err := pre.check(c); err != nil {
			return err
		}
		c.Deleting = true
		return nil
	})
	if !isError(err, desired.ErrDeleting) {
		return container.Generation, err
	}
	// The mark is there; the rest is waiting, unless it is a newer container already.
	container, found := s.specs.Container(id)
	if found {
		if err := pre.check(&container); err != nil {
			return 0, err
		}
	}
	return container.Generation, nil
}

// awaitRemoval reports whether the container that was marked is gone: there is none of
// its id, or one that nobody marked.
func (s *Server) awaitRemoval(ctx context.Context, id string, changed <-chan struct{}) bool {
	patience := time.NewTimer(s.deleteWait)
	defer patience.Stop()
	for {
		if container, found := s.specs.Container(id); !found || !container.Deleting {
			return true
		}
		select {
		case <-changed:
		case <-patience.C:
			return false
		case <-ctx.Done():
			return false
		case <-s.closing:
			return false
		}
	}
}

// changes passes the store's one stream of changed ids on to whoever waits for an id.
type changes struct {
	mu     sync.Mutex
	byID   map[string]map[chan struct{}]struct{} // guarded by mu
	cancel func()
}

func newChanges(db Database) *changes {
	c := &changes{byID: map[string]map[chan struct{}]struct{}{}}
	c.cancel = db.Subscribe(c.tell)
	return c
}

func (c *changes) tell(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ch := range c.byID[id] {
		select {
		case ch <- struct{}{}:
		default: // it has not looked since the last time: one look shows both
		}
	}
}

// listen returns a channel that holds a value whenever id changed since it was last read.
func (c *changes) listen(id string) (changed <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID[id] == nil {
		c.byID[id] = map[chan struct{}]struct{}{}
	}
	c.byID[id][ch] = struct{}{}
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.byID[id], ch)
		if len(c.byID[id]) == 0 {
			delete(c.byID, id)
		}
	}
}
