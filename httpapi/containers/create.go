package containers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/observed/status"
)

// Create is POST /containers.
func (h *Handlers) Create(c *gin.Context) error {
	w, err := h.newWrite(c)
	if err != nil {
		return err
	}
	spec, err := h.decodeSpec(c, "")
	if err != nil {
		return err
	}
	if desired.ValidID(spec.InternalID) {
		auth.RequestOf(c.Request.Context()).Audit.Container = spec.InternalID
	}
	err = h.update(w, func(tx *store.Tx) ([]store.Written, error) {
		if err := canCreate(w.caller, spec.InternalID); err != nil {
			return nil, err
		}
		if err := w.checkPrecondition(tx, spec.InternalID); err != nil {
			return nil, err
		}
		container, err := tx.CreateContainer(spec)
		return w.one(store.Written{Container: container, Action: desired.Created}, err)
	})
	if err != nil {
		return err
	}
	return h.replyCreated(w)
}

// replyCreated answers a write that has created a container.
func (h *Handlers) replyCreated(w *write) error {
	receipt := receiptOf("Container creation started", w.written[0].Container)
	receipt.State = status.Installing
	return h.reply(w, http.StatusCreated, receipt)
}

// Put is PUT /containers/:id: create, or replace the whole spec.
func (h *Handlers) Put(c *gin.Context) error {
	w, err := h.newWrite(c)
	if err != nil {
		return err
	}
	spec, err := h.decodeSpec(c, c.Param("id"))
	if err != nil {
		return err
	}
	if spec.InternalID != c.Param("id") {
		return errOtherID
	}
	err = h.update(w, func(tx *store.Tx) ([]store.Written, error) {
		if err := canPut(tx, w.caller, spec.InternalID); err != nil {
			return nil, err
		}
		if err := w.checkPrecondition(tx, spec.InternalID); err != nil {
			return nil, err
		}
		return w.one(tx.Put(spec))
	})
	if err != nil {
		return err
	}
	if w.written[0].Action == desired.Created {
		return h.replyCreated(w)
	}
	return h.reply(w, http.StatusOK, receiptOf("Container updated", w.written[0].Container))
}

// Patch is PATCH /containers/:id: a JSON merge patch of the spec.
func (h *Handlers) Patch(c *gin.Context) error {
	w, err := h.newWrite(c)
	if err != nil {
		return err
	}
	patch, err := rest.Object(c, rest.MediaMerge)
	if err != nil {
		return err
	}
	return h.change(w, "Container updated", func(container *desired.Container) error {
		spec, err := patched(container.Spec, h.defaults, patch)
		if err != nil {
			return err
		}
		if spec.InternalID != container.InternalID {
			return errOtherID
		}
		container.Spec = spec
		return nil
	})
}
