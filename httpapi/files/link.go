package files

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/observed/files"
)

// Links signs links, and opens them.
type Links interface {
	SignLink(ctx context.Context, g token.Grant, l token.Link) (text string, err error)
	OpenLink(text, method string) (token.Link, token.Grant, error)
}

// signWithin bounds what a link waits for the database.
const signWithin = 5 * time.Second

var (
	errNoLink    = rest.NewError(http.StatusNotFound, "link_not_found", "Link not found, or it has ended")
	errLinkLarge = rest.NewError(http.StatusRequestEntityTooLarge, "too_large", "The file is larger than the link allows").With("Connection", "close")
)

// SignUpload is POST /volumes/:id/uploads.
func (h *Handlers) SignUpload(c *gin.Context) error { return h.sign(c, http.MethodPut, "/uploads/") }

// SignDownload is POST /volumes/:id/downloads.
func (h *Handlers) SignDownload(c *gin.Context) error {
	return h.sign(c, http.MethodGet, "/downloads/")
}

// sign answers with a link to a file.
func (h *Handlers) sign(c *gin.Context, method, prefix string) error {
	tree, err := h.open(c)
	if err != nil {
		return err
	}
	defer tree.Close()
	var body struct {
		Path     *string `json:"path"`
		TTL      *string `json:"ttl"`
		MaxBytes *int64  `json:"max_bytes"`
	}
	if err := rest.Bind(c, &body); err != nil {
		return err
	}
	l := token.Link{Method: method, Volume: c.Param("id")}
	if body.Path == nil || *body.Path == "" {
		return rest.Invalid(rest.Detail{Field: "path", Message: "is required"})
	}
	p, err := clean("path", *body.Path)
	if err != nil {
		return err
	}
	record(c, "link "+method, p)
	if p == files.Top {
		return problem(files.ErrIsDirectory)
	}
	l.Path = string(p)
	if body.MaxBytes != nil {
		if l.MaxBytes = *body.MaxBytes; l.MaxBytes < 0 || method != http.MethodPut {
			return rest.Invalid(rest.Detail{Field: "max_bytes", Message: "must be at least 0, and of an upload"})
		}
	}
	ttl := token.LinkTTL
	if body.TTL != nil {
		if ttl, err = token.ParseTTL(*body.TTL); err != nil {
			return err
		}
	}
	if err := token.CheckLinkTTL(ttl); err != nil {
		return err
	}
	end := time.Now().Add(ttl)
	l.ExpiresAt = end.Unix()
	ctx, cancel := context.WithTimeout(c.Request.Context(), signWithin)
	defer cancel()
	text, err := h.Links.SignLink(ctx, auth.CallerOf(ctx).Grant, l)
	if err != nil {
		return err
	}
	return rest.Created(c, api.FileLink{URL: prefix + text, Method: method, ExpiresAt: end.UTC().Truncate(time.Second)})
}

// openLink opens the volume of a link, as the token that made the link. The caller must close the tree.
func (h *Handlers) openLink(c *gin.Context, method string) (*files.Tree, files.Path, token.Link, error) {
	l, g, err := h.Links.OpenLink(c.Param("token"), method)
	if errors.Is(err, token.ErrUnknown) {
		err = errNoLink
	}
	if err != nil {
		return nil, "", l, err
	}
	if err := auth.ActFor(c.Request.Context(), g); err != nil {
		return nil, "", l, err
	}
	p, err := clean(QueryPath, l.Path)
	if err != nil {
		return nil, "", l, err
	}
	audit := record(c, "write", p)
	audit.Volume, audit.Link = l.Volume, true
	tree, err := h.openVolume(c, l.Volume)
	return tree, p, l, err
}

// Upload is PUT /uploads/:token.
func (h *Handlers) Upload(c *gin.Context) error {
	body, stop := h.newUpload(c)
	defer stop()
	err := h.uploadTo(c, body)
	body.end(c)
	return err
}

func (h *Handlers) uploadTo(c *gin.Context, body *upload) error {
	tree, p, l, err := h.openLink(c, http.MethodPut)
	if err != nil {
		return err
	}
	defer tree.Close()
	w, err := writeOf(c.Request)
	if err != nil {
		return err
	}
	if l.MaxBytes > 0 {
		if w.Size > l.MaxBytes {
			return errLinkLarge
		}
		body.body = &atMost{body.body, l.MaxBytes}
	}
	leave, err := h.uploads.enter(c)
	if err != nil {
		return err
	}
	defer leave()
	return h.write(c, tree, p, body, w)
}

// atMost reads no more than left bytes.
type atMost struct {
	from io.Reader
	left int64
}

func (a *atMost) Read(p []byte) (int, error) {
	n, err := a.from.Read(p)
	if a.left -= int64(n); a.left < 0 {
		return 0, errLinkLarge
	}
	return n, err
}

// Download is GET /downloads/:token.
func (h *Handlers) Download(c *gin.Context) error {
	tree, p, _, err := h.openLink(c, http.MethodGet)
	if err != nil {
		return err
	}
	defer tree.Close()
	leave, err := h.downloads.enter(c)
	if err != nil {
		return err
	}
	defer leave()
	return h.download(c, tree, p)
}
