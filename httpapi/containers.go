package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/strictjson"
	"lightd/observed/status"
)

// createContainer is POST /containers.
func (s *Server) createContainer(c *gin.Context) error {
	in, err := s.writeOptionsOf(c)
	if err != nil {
		return err
	}
	object, err := s.bodyObject(c)
	if err != nil {
		return err
	}
	spec := s.defaults.Clone()
	if err := bindWhole(object, &spec); err != nil {
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
	watching, err := flag(c.Request.URL.Query(), watchQuery)
	if err != nil {
		return err
	}
	if err := checkList(c.Request.URL.Query(), watching); err != nil {
		return err
	}
	if watching {
		return s.watchContainers(c, selector)
	}
	if !givesJSON.accepts(c.Request.Header) {
		return givesJSON.refusal
	}
	return s.pageContainers(c, selector)
}

// checkList refuses parameters of a list in a watch, and those of a watch in a list.
func checkList(query url.Values, watching bool) error {
	misplaced, why := []string{afterQuery}, "has no meaning without watch=true"
	if watching {
		misplaced, why = []string{limitQuery, continueQuery, viewQuery}, "has no meaning in a watch, which has all, in full"
	}
	for _, name := range misplaced {
		if query.Has(name) {
			return invalid(Detail{Field: name, Message: why})
		}
	}
	return nil
}

// pageContainers answers with a page of the containers that a selector chooses. The entity tag
// is that of all of them: it is what an apply by the same selector demands.
func (s *Server) pageContainers(c *gin.Context, selector selector) error {
	query := c.Request.URL.Query()
	p, err := pageOf(query, "containers")
	if err != nil {
		return err
	}
	full, err := fullView(query)
	if err != nil {
		return err
	}
	var chosen []desired.Container
	list, next, revision := []any{}, "", uint64(0)
	s.database.AtSnapshot(func(at store.Snapshot) {
		chosen, revision = selector.filter(s.specs.Containers()), at.Revision
		var shown []desired.Container
		shown, next = cut(p, chosen, func(c desired.Container) string { return c.InternalID })
		for _, container := range shown {
			if full {
				list = append(list, s.view(container))
			} else {
				list = append(list, s.summary(container))
			}
		}
	})
	c.Header("ETag", etagOfList(chosen))
	return replyPage(c, p, list, revision, next)
}

// fullView reports whether a list is to have whole containers, as a GET of one has.
func fullView(query url.Values) (bool, error) {
	switch query.Get(viewQuery) {
	case "full":
		return true, nil
	case "summary":
		return false, nil
	}
	if query.Has(viewQuery) {
		return false, invalid(Detail{Field: viewQuery, Message: "must be summary or full"})
	}
	return false, nil
}

// putContainer is PUT /containers/:id: create, or replace the whole spec.
func (s *Server) putContainer(c *gin.Context) error {
	in, err := s.writeOptionsOf(c)
	if err != nil {
		return err
	}
	object, err := s.bodyObject(c)
	if err != nil {
		return err
	}
	spec := s.defaults.Clone()
	spec.InternalID = c.Param("id")
	if err := bindWhole(object, &spec); err != nil {
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

// bindWhole reads the spec that a container is to have. What it says nothing of has the default,
// but for the power: that has verbs of its own, and who describes the rest stops nothing. The
// store leaves it as it is.
func bindWhole(object strictjson.Object, spec *desired.Spec) error {
	if err := object.Bind(spec, readOnly...); err != nil {
		return err
	}
	return leavePower(object, spec)
}

// leavePower empties the power of a spec that says nothing of it, and refuses one that is empty.
func leavePower(object strictjson.Object, spec *desired.Spec) error {
	switch {
	case object["power"] == nil:
		spec.Power = ""
	case spec.Power == "":
		return spec.Power.Validate()
	}
	return nil // any other the store refuses, with all else that is wrong
}

var errOtherID = invalid(Detail{Field: "internal_id", Message: "must be the one in the path"})

// patchContainer is PATCH /containers/:id: a JSON merge patch of the spec.
func (s *Server) patchContainer(c *gin.Context) error {
	in, err := s.writeOptionsOf(c)
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
