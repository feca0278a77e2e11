package containers

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/selector"
)

var errNoInstallLog = rest.NewError(http.StatusNotFound, "install_log_not_found", "Install log not found")

// Get is GET /containers/:id.
func (h *Handlers) Get(c *gin.Context) error {
	who := auth.CallerOf(c.Request.Context())
	container, found := who.Find(h.store, c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	c.Header("ETag", etag(container))
	return rest.OK(c, h.shown(who, container))
}

// shown is a container as its caller may see it.
func (h *Handlers) shown(who *auth.Caller, c desired.Container) api.Container {
	if who.May(token.ScopeWrite) {
		return h.views.Container(c)
	}
	return h.views.Container(c).WithoutEnv()
}

// List is GET /containers: a page of the containers that a selector selects. The entity tag is that
// of all of them: it is what an apply by the same selector demands.
func (h *Handlers) List(c *gin.Context) error {
	query, who := c.Request.URL.Query(), auth.CallerOf(c.Request.Context())
	chosen, err := selector.FromQuery(query)
	if err != nil {
		return err
	}
	if query.Has(rest.QueryAfter) {
		return rest.Invalid(rest.Detail{Field: rest.QueryAfter, Message: "has no meaning without watch=true"})
	}
	p, err := rest.PageOf(query, "containers")
	if err != nil {
		return err
	}
	full, err := fullView(query)
	if err != nil {
		return err
	}
	var selected []desired.Container
	list, next, revision := []any{}, "", uint64(0)
	h.store.AtSnapshot(func(at store.Snapshot) {
		selected, revision = chosen.Filter(who.List(h.store)), at.Revision
		var shown []desired.Container
		shown, next = rest.Cut(p, selected, func(c desired.Container) string { return c.InternalID })
		for _, container := range shown {
			if full {
				list = append(list, h.shown(who, container))
			} else {
				list = append(list, h.views.Summary(container))
			}
		}
	})
	c.Header("ETag", etagOfList(selected))
	return rest.ReplyPage(c, p, list, revision, next)
}

// fullView reports whether a list is to have whole containers, as a GET of one has.
func fullView(query url.Values) (bool, error) {
	switch query.Get(rest.QueryView) {
	case "full":
		return true, nil
	case "summary":
		return false, nil
	}
	if query.Has(rest.QueryView) {
		return false, rest.Invalid(rest.Detail{Field: rest.QueryView, Message: "must be summary or full"})
	}
	return false, nil
}

// Plan is GET /containers/:id/plan.
func (h *Handlers) Plan(c *gin.Context) error {
	container, found := auth.CallerOf(c.Request.Context()).Find(h.store, c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	c.Header("ETag", etag(container))
	return rest.OK(c, h.planner.Simulate(container))
}

// ReadInstallLog is GET /containers/:id/install-log.
func (h *Handlers) ReadInstallLog(c *gin.Context) error {
	container, found := auth.CallerOf(c.Request.Context()).Find(h.store, c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	log, err := h.output.installLog(container.InternalID)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoInstallLog
	}
	if err != nil {
		return err
	}
	defer log.Close()
	header := c.Writer.Header()
	header.Set("Content-Type", rest.MediaText+"; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Vary", rest.Vary)
	text := bufio.NewReaderSize(log, rest.MinPacked)
	begin, _ := text.Peek(rest.MinPacked)
	packed := len(begin) == rest.MinPacked && rest.AcceptsGzip(c.Request.Header)
	if packed {
		header.Set("Content-Encoding", "gzip")
	}
	c.Status(http.StatusOK)
	// Once the status is sent, a broken copy can only show as a cut answer.
	if packed {
		_ = rest.Compress(c.Writer, text)
	} else {
		_, _ = io.Copy(c.Writer, text)
	}
	return nil
}
