package httpapi

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/wait"
)

// deleteContainer is DELETE /containers/:id: it marks, and then waits for the end.
func (s *Server) deleteContainer(c *gin.Context) error {
	in, err := s.writeOptionsOf(c)
	if err != nil {
		return err
	}
	if err := s.noBody(c); err != nil {
		return err
	}
	mark := in.marking(c.Param("id"))
	if in.goal != wait.Gone {
		return s.write(c, in, mark, func(w store.Written) (int, api.Receipt) {
			return http.StatusOK, receiptOf(deletionStarted, w.Container)
		})
	}
	written, wait, err := s.begin(c, in, func(tx *store.Tx) ([]store.Written, error) {
		w, err := mark(tx)
		return []store.Written{w}, err
	})
	if err != nil {
		return err
	}
	gone, err := s.awaitEnd(c, in, wait)
	if err != nil {
		return err
	}
	c.Header("ETag", etag(written[0].Container))
	if gone {
		return ok(c, receiptOf("Container deleted successfully", written[0].Container))
	}
	reply(c.Writer, c.Request, http.StatusAccepted, receiptOf(deletionStarted, written[0].Container))
	return nil
}

const deletionStarted = "Container deletion started"

// awaitEnd reports whether the container that was marked is gone in time. A nil wait has no
// time.
func (s *Server) awaitEnd(c *gin.Context, in writeOptions, wait *wait.Wait) (gone bool, err error) {
	if wait == nil {
		return false, nil
	}
	results, _, err := s.await(c, wait, in.timeout)
	if errors.Is(err, errStoppingWait) {
		return false, nil // the page has a word for it
	}
	return results[c.Param("id")].Met, err
}

// marking is the transaction that marks the container of id deleted. What somebody else has
// marked stays as it is.
func (in writeOptions) marking(id string) transaction {
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
