package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

// createContainer is POST /containers.
func (s *Server) createContainer(c *gin.Context) error {
	in, err := s.intentOf(c)
	if err != nil {
		return err
	}
	object, err := s.bodyObject(c)
	if err != nil {
		return err
	}
	spec := s.defaults.Clone()
	if err := object.Bind(&spec, readOnly...); err != nil {
		return err
	}
	create := func(tx *store.Tx) (store.Written, error) {
		if err := in.absent(tx, spec.InternalID); err != nil {
			return store.Written{}, err
		}
		container, err := tx.CreateContainer(spec)
		return store.Written{Container: container, Action: desired.Created}, err
	}
	return s.write(c, in, create, func(w store.Written) (int, api.Receipt) { return creation(c, w) })
}

// creation is the answer to one.
func creation(c *gin.Context, w store.Written) (int, api.Receipt) {
	c.Header("Location", location(w.InternalID))
	receipt := receiptOf("Container creation started", w.Container)
	receipt.State = status.Installing
	return http.StatusCreated, receipt
}

// getContainer is GET /containers/:id.
func (s *Server) getContainer(c *gin.Context) error {
	container, found := s.specs.Container(c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	c.Header("ETag", etag(container))
	return ok(c, s.view(container))
}

// listContainers is GET /containers.
func (s *Server) listContainers(c *gin.Context) error {
	selector, err := selectorOf(c.Request.URL.Query())
	if err != nil {
		return err
	}
	watching, err := flag(c.Request.URL.Query(), "watch")
	if err != nil {
		return err
	}
	if watching {
		return s.watchContainers(c, selector)
	}
	if !givesJSON.accepts(c.Request.Header) {
		return givesJSON.refusal
	}
	var chosen []desired.Container
	var list []api.Summary
	var revision uint64
	s.database.Still(func(at store.Moment) {
		chosen, revision = selector.choose(s.specs.Containers()), at.Revision
		list = make([]api.Summary, 0, len(chosen))
		for _, container := range chosen {
			list = append(list, s.summary(container))
		}
	})
	c.Header("ETag", etagOfList(chosen))
	return ok(c, map[string]any{"containers": list, "revision": revision})
}

// putContainer is PUT /containers/:id: create, or replace the whole spec.
func (s *Server) putContainer(c *gin.Context) error {
	in, err := s.intentOf(c)
	if err != nil {
		return err
	}
	object, err := s.bodyObject(c)
	if err != nil {
		return err
	}
	spec := s.defaults.Clone()
	spec.InternalID = c.Param("id")
	if err := object.Bind(&spec, readOnly...); err != nil {
		return err
	}
	if spec.InternalID != c.Param("id") {
		return errOtherID
	}
	put := func(tx *store.Tx) (store.Written, error) {
		if err := in.absent(tx, spec.InternalID); err != nil {
			return store.Written{}, err
		}
		return tx.Put(spec)
	}
	return s.write(c, in, put, func(w store.Written) (int, api.Receipt) {
		if w.Action == desired.Created {
			return creation(c, w)
		}
		return http.StatusOK, receiptOf("Container updated", w.Container)
	})
}

var errOtherID = invalid(Detail{Field: "internal_id", Message: "must be the one in the path"})

// patchContainer is PATCH /containers/:id: a JSON merge patch of the spec.
func (s *Server) patchContainer(c *gin.Context) error {
	in, err := s.intentOf(c)
	if err != nil {
		return err
	}
	patch, err := s.bodyObject(c, mediaMerge)
	if err != nil {
		return err
	}
	return s.change(c, in, "Container updated", func(container *desired.Container) error {
		spec, err := merged(container.Spec, s.defaults, patch)
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

// databaseTime bounds what a request waits for the database.
func (s *Server) databaseTime(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Request.Context(), s.databaseTimeout)
}

func location(id string) string { return "/containers/" + url.PathEscape(id) }

var errNoBody = fail(http.StatusBadRequest, "malformed", "The body is not valid: a JSON object is expected")
