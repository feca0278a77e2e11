package containers

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/rest"
	"lightd/httpapi/wait"
)

// Delete is DELETE /containers/:id: it marks the container, and then waits for its end.
func (h *Handlers) Delete(c *gin.Context) error {
	w, err := h.newWrite(c)
	if err != nil {
		return err
	}
	if err := rest.NoBody(c); err != nil {
		return err
	}
	err = h.update(w, func(tx *store.Tx) ([]store.Written, error) {
		old, err := w.current(tx, c.Param("id"))
		if err != nil || old.Deleting {
			return w.one(store.Written{Container: old, Action: desired.Unchanged}, err)
		}
		container, err := tx.ChangeContainer(old.InternalID, func(c *desired.Container) error {
			c.Deleting = true
			return nil
		})
		return w.one(store.Compare(old, container), err)
	})
	if err != nil {
		return err
	}
	receipt := receiptOf("Container deletion started", w.written[0].Container)
	if w.goal.name != wait.Gone {
		return h.reply(w, http.StatusOK, receipt)
	}
	gone, err := h.awaitEnd(w)
	if err != nil {
		return err
	}
	c.Header("ETag", etag(w.written[0].Container))
	if gone {
		receipt.Message = "Container deleted successfully"
		return rest.OK(c, receipt)
	}
	rest.Reply(c.Writer, c.Request, http.StatusAccepted, receipt)
	return nil
}

// awaitEnd reports whether the container that was marked is gone in time. Where no wait was free, it
// is not waited for.
func (h *Handlers) awaitEnd(w *write) (gone bool, err error) {
	if w.pending == nil {
		return false, nil
	}
	results, _, err := h.waits.await(w)
	if errors.Is(err, errStoppingWait) {
		return false, nil // the answer has a message for it
	}
	return results[w.written[0].InternalID].Met, err
}
