package files

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/api"
	"lightd/httpapi/rest"
	"lightd/observed/files"
)

const (
	// MediaBytes is the media type of files.
	MediaBytes = "application/octet-stream"
	// maxPage is how many entries a page of a list has.
	maxPage = 10_000
	// listWithin bounds how long a directory is read, and operateWithin an operation.
	listWithin    = 30 * time.Second
	operateWithin = time.Minute
	// maxRanges bounds the ranges that a download may ask for: each costs a header and a seek.
	maxRanges = 16
)

// Accepts reports whether h allows JSON or bytes.
func Accepts(h http.Header) bool { return rest.AcceptsJSON(h) || wantsBytes(h) }

// wantsBytes reports whether bytes are wanted more than JSON.
func wantsBytes(h http.Header) bool {
	media, _ := rest.Negotiate(h, rest.MediaJSON, func(mediaRange string) string {
		switch mediaRange {
		case MediaBytes:
			return MediaBytes
		case rest.MediaVendor, rest.MediaJSON, "application/*", "*/*":
			return rest.MediaJSON
		}
		return ""
	})
	return media == MediaBytes
}

// IsDownload reports whether a request for files of a volume is answered by the bytes of one.
func IsDownload(r *http.Request) bool {
	return r.URL.Query().Get(QueryDownload) == "true" || wantsBytes(r.Header)
}

// Get is GET /volumes/:id/files: a list, or the bytes of a file.
func (h *Handlers) Get(c *gin.Context) error {
	query := c.Request.URL.Query()
	if _, err := rest.Flag(query, QueryDownload); err != nil {
		return err
	}
	p, err := pathOf(query, false)
	if err != nil {
		return err
	}
	if !IsDownload(c.Request) {
		return h.list(c, p, query)
	}
	for _, name := range []string{rest.QueryLimit, rest.QueryContinue} {
		if query.Has(name) {
			return rest.Invalid(rest.Detail{Field: name, Message: "has no meaning for the bytes of a file"})
		}
	}
	return h.inTree(c, h.downloads, func(tree *files.Tree) error { return h.download(c, tree, p) })
}

// list answers with what a path is and, of a directory, with a page of what is in it.
func (h *Handlers) list(c *gin.Context, p files.Path, query url.Values) error {
	page, err := rest.LargePageOf(query, "files", maxPage)
	if err != nil {
		return err
	}
	return h.inTree(c, h.others, func(tree *files.Tree) error { return h.listTree(c, tree, p, page) })
}

func (h *Handlers) listTree(c *gin.Context, tree *files.Tree, p files.Path, page rest.Page) error {
	ctx, cancel := context.WithTimeoutCause(c.Request.Context(), listWithin, files.ErrBusy)
	defer cancel()
	e, err := tree.Stat(p)
	if err != nil {
		return problem(err)
	}
	answer := api.Files{Path: shown(p), File: fileView(e), Files: []api.File{}}
	if e.Type != files.Directory {
		return rest.OK(c, answer)
	}
	entries, more, err := tree.List(ctx, p, page.After(), page.Limit())
	if err != nil {
		return problem(err)
	}
	answer.Files = make([]api.File, len(entries))
	for i, e := range entries {
		answer.Files[i] = fileView(e)
	}
	if more && len(entries) > 0 {
		answer.Continue = page.Next(entries[len(entries)-1].Name)
	}
	return rest.OK(c, answer)
}

// download answers with the bytes of a file.
func (h *Handlers) download(c *gin.Context, tree *files.Tree, p files.Path) error {
	f, e, err := tree.Open(p)
	if err != nil {
		return problem(err)
	}
	defer f.Close()
	header := c.Writer.Header()
	header.Set("ETag", e.ETag)
	header.Set("Content-Type", MediaBytes)
	// It is somebody else's page for a browser that would show it.
	header.Set("Content-Disposition", "attachment; filename*=UTF-8''"+strings.ReplaceAll(url.QueryEscape(p.Base()), "+", "%20"))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", rest.Vary)
	r := c.Request
	if rest.IsHead(r.Context()) {
		r = r.WithContext(r.Context())
		r.Method = http.MethodHead
	}
	if strings.Count(strings.Join(r.Header.Values("Range"), ","), ",") >= maxRanges {
		r = r.WithContext(r.Context())
		r.Header = r.Header.Clone()
		r.Header.Del("Range") // as RFC 9110, section 14.2, allows
	}
	to := rest.NewPacedWriter(c, stallAfter, h.closing)
	defer context.AfterFunc(h.closing, to.Interrupt)()
	http.ServeContent(to, r, "", e.Modified, f)
	return nil
}
