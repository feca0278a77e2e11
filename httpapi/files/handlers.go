package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/audit"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/observed/files"
	"lightd/observed/jobs"
)

// Volumes finds volumes.
type Volumes interface {
	Get(id string) (store.Volume, error)
	Users(id string) []string
}

// Sources are what the handlers work with.
type Sources struct {
	Volumes    Volumes
	Containers auth.Containers
	Trees      *files.Trees
	Links      Links
}

// Handlers answer the routes of files. Their methods may be used by any number of goroutines.
type Handlers struct {
	Sources
	log                        *slog.Logger
	jobs                       *jobs.Registry
	closing                    context.Context // ends with Close
	end                        context.CancelFunc
	uploads, downloads, others *slots
}

// The bounds of what is under way on the node; one token may have half of it.
const (
	maxUploads   = 64
	maxDownloads = 256
	// maxOthers is for lists and operations, which a slow disk could pile up.
	maxOthers = 32
)

// New returns handlers. Close them.
func New(s Sources, log *slog.Logger) *Handlers {
	h := &Handlers{Sources: s, log: log, jobs: jobs.New(), uploads: newSlots(maxUploads), downloads: newSlots(maxDownloads), others: newSlots(maxOthers)}
	h.closing, h.end = context.WithCancel(context.Background())
	return h
}

// The query parameters of these routes alone.
const (
	QueryPath     = "path"
	QueryDownload = "download"
	QueryMode     = "mode"
)

// open opens the volume that a request names, if it exists for the caller. The caller must close the tree.
func (h *Handlers) open(c *gin.Context) (*files.Tree, error) { return h.openVolume(c, c.Param("id")) }

// openVolume opens a volume, if it exists for the caller.
func (h *Handlers) openVolume(c *gin.Context, id string) (*files.Tree, error) {
	ctx := c.Request.Context()
	v, err := h.Volumes.Get(id)
	if err != nil {
		return nil, problem(err)
	}
	who := auth.CallerOf(ctx)
	if !who.SeesVolume(v, who.OfVolume(h.Containers, h.Volumes.Users(id))) {
		return nil, problem(desired.ErrVolumeNotFound)
	}
	tree, err := h.Trees.Open(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		err = rest.NewError(http.StatusConflict, "volume_unavailable", "The directory of the volume is not there")
	}
	return tree, problem(err)
}

// inTree calls fn with the tree of the volume that a request names, while it has one of the slots.
func (h *Handlers) inTree(c *gin.Context, s *slots, fn func(*files.Tree) error) error {
	leave, err := s.enter(c)
	if err != nil {
		return err
	}
	defer leave()
	tree, err := h.open(c)
	if err != nil {
		return err
	}
	defer tree.Close()
	return fn(tree)
}

// pathOf reads the path of a query; the top of the volume where it has none and required is false.
func pathOf(query url.Values, required bool) (files.Path, error) {
	text := query.Get(QueryPath)
	if required && text == "" {
		return "", rest.Invalid(rest.Detail{Field: QueryPath, Message: "is required"})
	}
	return clean(QueryPath, text)
}

// clean reads a path of a field. It must not be empty, unless the field is that of a query.
func clean(field, text string) (files.Path, error) {
	p, err := files.Clean(text)
	if err != nil {
		return "", rest.Invalid(rest.Detail{Field: field, Message: err.Error()})
	}
	return p, nil
}

func fileView(e files.Entry) api.File {
	return api.File{
		Name: e.Name, InvalidName: !utf8.ValidString(e.Name), Type: string(e.Type), Size: e.Size, Mode: fmt.Sprintf("%04o", e.Mode),
		Modified: e.Modified.UTC(), MIME: e.MIME, Target: strings.ToValidUTF8(e.Target, "\uFFFD"), ETag: e.ETag,
	}
}

// shown is a path as answers and the audit have it.
func shown(p files.Path) string {
	if p == files.Top {
		return "/"
	}
	return path.Join("/", string(p))
}

// record completes the audit of a request with what it does to files.
func record(c *gin.Context, op string, p files.Path) *audit.Record {
	r := &auth.RequestOf(c.Request.Context()).Audit
	r.Op, r.Path = op, shown(p)
	return r
}
