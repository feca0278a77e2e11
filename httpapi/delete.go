package httpapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
)

// deleteContainer is DELETE /containers/:id: it marks, and then waits for the end.
func (s *Server) deleteContainer(c *gin.Context) error {
	in, err := s.intentOf(c)
	if err != nil {
		return err
	}
	if err := s.noBody(c); err != nil {
		return err
	}
	id := c.Param("id")
	// Listening comes before the mark, so that no removal is too fast to be heard.
	changed, cancel := s.changes.listen(id)
	defer cancel()
	return s.write(c, in, in.marking(id), func(w store.Written) (int, api.Receipt) {
		if s.awaitRemoval(c.Request.Context(), id, changed) {
			return http.StatusOK, receiptOf("Container deleted successfully", w.Container)
		}
		return http.StatusAccepted, receiptOf("Container deletion started", w.Container)
	})
}

// marking is the transaction that marks the container of id deleted. What somebody else has
// marked stays as it is.
func (in intent) marking(id string) transaction {
	return func(tx *store.Tx) (store.Written, error) {
		old, err := in.current(tx, id)
		if err != nil || old.Deleting {
			return store.Written{Container: old, Action: desired.Unchanged}, err
		}
		return in.changing(id, func(c *desired.Container) error {
			c.Deleting = true
			return nil
		})(tx)
	}
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
