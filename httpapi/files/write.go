package files

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/rest"
	"lightd/observed/files"
)

// Put is PUT /volumes/:id/files: writes a file from the body.
func (h *Handlers) Put(c *gin.Context) error {
	body, stop := h.newUpload(c)
	defer stop()
	err := h.put(c, body)
	body.end(c)
	return err
}

// newUpload returns the body of a request, which Close ends until stop is called.
func (h *Handlers) newUpload(c *gin.Context) (body *upload, stop func() bool) {
	body = &upload{body: c.Request.Body, control: http.NewResponseController(c.Writer), stall: stallAfter, closing: h.closing, complete: c.Request.ContentLength == 0}
	return body, context.AfterFunc(h.closing, func() { _ = body.control.SetReadDeadline(time.Unix(1, 0)) }) // as one that is over
}

func (h *Handlers) put(c *gin.Context, body *upload) error {
	p, err := pathOf(c.Request.URL.Query(), true)
	if err != nil {
		return err
	}
	record(c, "write", p)
	w, err := writeOf(c.Request)
	if err != nil {
		return err
	}
	return h.inTree(c, h.uploads, func(tree *files.Tree) error { return h.write(c, tree, p, body, w) })
}

// write writes a file and answers with its entry.
func (h *Handlers) write(c *gin.Context, tree *files.Tree, p files.Path, body *upload, w files.Write) error {
	// A client that has sent everything and goes away has meant it.
	ctx := context.WithoutCancel(c.Request.Context())
	e, created, err := tree.Write(ctx, p, body, w)
	body.end(c) // the time of the whole request may be over by now: the answer has its own
	if err != nil {
		var refusal *rest.Error
		if errors.As(err, &refusal) {
			return refusal
		}
		return problem(err)
	}
	c.Header("ETag", e.ETag)
	if created {
		return rest.Created(c, fileView(e))
	}
	return rest.OK(c, fileView(e))
}

// writeOf reads how a request wants a file to be written.
func writeOf(r *http.Request) (files.Write, error) {
	w := files.Write{Size: r.ContentLength}
	for _, value := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(value), "identity") {
			return w, rest.NewError(http.StatusUnsupportedMediaType, "unsupported_encoding", "A body must not be compressed")
		}
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		// Taken as it is, the file would have the boundaries and headers of the form around it.
		return w, rest.NewError(http.StatusUnsupportedMediaType, "unsupported_media_type", "The body must be the file itself, not a form")
	}
	if r.Header.Get("Content-Range") != "" {
		// RFC 9110, section 14.5: a server that knows no partial PUT must not take the part for the whole.
		return w, rest.Invalid(rest.Detail{Field: "Content-Range", Message: "is not supported: a file is written as a whole"})
	}
	if query := r.URL.Query(); query.Has(QueryMode) {
		mode, err := modeOf(query.Get(QueryMode))
		if err != nil {
			return w, err
		}
		w.Mode = &mode
	}
	match, err := rest.Tags(r.Header, rest.HeaderMatch)
	if err != nil {
		return w, err
	}
	none, err := rest.Tags(r.Header, rest.HeaderNoneMatch)
	if err != nil {
		return w, err
	}
	if match != nil || none != nil {
		w.Allows = func(present *files.Entry) bool {
			return (match == nil || fits(match, present)) && !fits(none, present)
		}
	}
	return w, nil
}

// fits reports whether a file that is there is one of those that entity tags name.
func fits(tags []string, present *files.Entry) bool {
	return present != nil && (slices.Contains(tags, "*") || slices.Contains(tags, present.ETag))
}

// modeOf reads permissions.
func modeOf(text string) (uint32, error) {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode > 0o777 || len(text) > 5 {
		return 0, rest.Invalid(rest.Detail{Field: QueryMode, Message: "must be octal digits from 0000 to 0777, as in 0644"})
	}
	return uint32(mode), nil
}
