package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

func receiptOf(message string, c desired.Container) api.Receipt {
	return api.Receipt{Message: message, InternalID: c.InternalID, Generation: c.Generation}
}

// createContainer is POST /containers.
func (s *Server) createContainer(c *gin.Context) error {
	object, err := s.bodyObject(c)
	if err != nil {
		return err
	}
	spec := s.defaults.Clone()
	if err := object.Bind(&spec, readOnly...); err != nil {
		return err
	}
	pre, err := preconditionOf(c.Request.Header)
	if err != nil {
		return err
	}
	// A create demands by itself that nothing is there.
	if pre.match != nil {
		return errStale
	}
	ctx, cancel := s.databaseTime(c)
	defer cancel()
	container, err := s.specs.Create(ctx, spec)
	if err != nil {
		return err
	}
	c.Header("ETag", etag(container))
	c.Header("Location", location(container.InternalID))
	receipt := receiptOf("Container creation started", container)
	receipt.State = status.Installing
	return created(c, receipt)
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
	if c.Query("watch") != "" {
		// Who waits for a stream must not get a list that looks like one.
		return invalid(Detail{Field: "watch", Message: "is not supported by this version"})
	}
	selector, err := parseSelector(c.Query("selector"))
	if err != nil {
		return err
	}
	list := []api.Summary{}
	for _, container := range s.specs.Containers() {
		if selector.matches(container.Labels) {
			list = append(list, s.summary(container))
		}
	}
	return ok(c, map[string]any{"containers": list})
}

// putContainer is PUT /containers/:id: create, or replace the whole spec.
func (s *Server) putContainer(c *gin.Context) error {
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
	pre, err := preconditionOf(c.Request.Header)
	if err != nil {
		return err
	}
	ctx, cancel := s.databaseTime(c)
	defer cancel()
	container, isNew, err := s.put(ctx, spec, pre)
	if err != nil {
		return err
	}
	c.Header("ETag", etag(container))
	if isNew {
		c.Header("Location", location(container.InternalID))
		return created(c, receiptOf("Container creation started", container))
	}
	return ok(c, receiptOf("Container updated", container))
}

var errOtherID = invalid(Detail{Field: "internal_id", Message: "must be the one in the path"})

// put changes the container if it is there, and creates it if it is not. Which of the
// two applies can change between the looks only by somebody else's write, so that a
// few tries are enough.
func (s *Server) put(ctx context.Context, spec desired.Spec, pre precondition) (c desired.Container, isNew bool, err error) {
	for range 3 {
		c, err = s.specs.Change(ctx, spec.InternalID, func(c *desired.Container) error {
			if err := pre.check(c); err != nil {
				return err
			}
			return replaceSpec(c, spec)
		})
		if !isError(err, desired.ErrContainerNotFound) {
			return c, false, err
		}
		if err := pre.check(nil); err != nil {
			return c, false, err
		}
		c, err = s.specs.Create(ctx, spec)
		if !isError(err, desired.ErrContainerExists) {
			return c, true, err
		}
	}
	return c, false, err
}

// patchContainer is PATCH /containers/:id: a JSON merge patch of the spec.
func (s *Server) patchContainer(c *gin.Context) error {
	patch, err := s.bodyObject(c, mediaMerge)
	if err != nil {
		return err
	}
	return s.change(c, "Container updated", func(container *desired.Container) error {
		spec, err := merged(container.Spec, s.defaults, patch)
		if err != nil {
			return err
		}
		if spec.InternalID != container.InternalID {
			return errOtherID
		}
		return replaceSpec(container, spec)
	})
}

// replaceSpec sets the spec of c. A kill lasts until the process is wanted again.
func replaceSpec(c *desired.Container, spec desired.Spec) error {
	c.Spec = spec
	if spec.Power == desired.PowerRunning {
		c.Kill = false
	}
	return nil
}

// change runs fn in the transaction that writes the container of the path, under the
// request's preconditions, and answers with the receipt.
func (s *Server) change(c *gin.Context, message string, fn func(*desired.Container) error) error {
	pre, err := preconditionOf(c.Request.Header)
	if err != nil {
		return err
	}
	ctx, cancel := s.databaseTime(c)
	defer cancel()
	container, err := s.specs.Change(ctx, c.Param("id"), func(container *desired.Container) error {
		if err := pre.check(container); err != nil {
			return err
		}
		return fn(container)
	})
	if err != nil {
		return err
	}
	c.Header("ETag", etag(container))
	return ok(c, receiptOf(message, container))
}

// databaseTime bounds what a request waits for the database.
func (s *Server) databaseTime(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Request.Context(), s.databaseTimeout)
}

func location(id string) string { return "/containers/" + url.PathEscape(id) }

var errNoBody = fail(http.StatusBadRequest, "malformed", "The body is not valid: a JSON object is expected")
