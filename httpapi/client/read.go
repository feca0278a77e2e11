package client

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"lightd/httpapi/api"
)

func get(segments ...string) request {
	return request{method: http.MethodGet, path: pathOf(segments...)}
}

// choosing puts a selector into a request.
func (r request) choosing(selector string) request {
	if selector != "" {
		return r.with("selector", selector)
	}
	return r
}

// with returns r with one more parameter.
func (r request) with(name, value string) request {
	query := maps.Clone(r.query)
	if query == nil {
		query = url.Values{}
	}
	query.Set(name, value)
	r.query = query
	return r
}

// listPage is how many elements of a list are asked for at once: no answer is so large that it
// takes a slow connection longer than Config.Timeout.
const listPage = 500

// pages reads a list page by page, each into a new P that read returns the continue of. The
// header is that of the first page: what changes after it makes its entity tag stale.
func pages[P any](ctx context.Context, c *Client, r request, read func(P) (next string)) (http.Header, error) {
	r = r.with("limit", strconv.Itoa(listPage))
	var first http.Header
	for {
		var page P
		a, err := c.call(ctx, r, &page)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = a.header
		}
		next := read(page)
		if next == "" {
			return first, nil
		}
		r = r.with("continue", next)
	}
}

// containersPage is a page of containers.
type containersPage[T any] struct {
	Containers []T    `json:"containers"`
	Revision   uint64 `json:"revision"`
	Continue   string `json:"continue"`
}

// containers reads all pages of a list of containers, in either view.
func containers[T any](ctx context.Context, c *Client, r request) (all []T, revision uint64, tag string, err error) {
	all = []T{}
	header, err := pages(ctx, c, r, func(p containersPage[T]) string {
		if len(all) == 0 {
			revision = p.Revision
		}
		all = append(all, p.Containers...)
		return p.Continue
	})
	return all, revision, header.Get("ETag"), err
}

func isStatus(err error, status int) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Status == status
}

func asWaitError(err error, u **WaitError) bool { return errors.As(err, u) }

// Listing is a list of containers.
type Listing struct {
	// Containers are sorted by id.
	Containers []api.Summary `json:"containers"`
	// Revision is where a watch goes on.
	Revision uint64 `json:"revision"`
	// ETag names the specs of these containers, for Write.IfMatch of an apply.
	ETag string `json:"-"`
}

// List lists the containers that a selector, as in "game=quake,!test", chooses; all when
// it is empty. It reads page by page; Revision and ETag are those of the first.
func (c *Client) List(ctx context.Context, selector string) (l Listing, err error) {
	l.Containers, l.Revision, l.ETag, err = containers[api.Summary](ctx, c, get("containers").choosing(selector))
	return l, err
}

// ListFull is List with whole containers, as Get returns one.
func (c *Client) ListFull(ctx context.Context, selector string) (l FullListing, err error) {
	r := get("containers").choosing(selector).with("view", "full")
	l.Containers, l.Revision, l.ETag, err = containers[api.Container](ctx, c, r)
	return l, err
}

// FullListing is a list of whole containers; see Listing.
type FullListing struct {
	Containers []api.Container
	Revision   uint64
	ETag       string
}

// Container is a container as it should be, and as it is.
type Container struct {
	api.Container
	// ETag names this generation, for Write.IfMatch.
	ETag string `json:"-"`
}

// Get reads a container.
func (c *Client) Get(ctx context.Context, id string) (Container, error) {
	var out Container
	a, err := c.call(ctx, get("containers", id), &out.Container)
	out.ETag = a.header.Get("ETag")
	return out, err
}

// Plan tells the steps that the controller would take now.
func (c *Client) Plan(ctx context.Context, id string) (api.Plan, error) {
	var p api.Plan
	_, err := c.call(ctx, get("containers", id, "plan"), &p)
	return p, err
}

// History tells which specs of a container are kept, the newest first.
func (c *Client) History(ctx context.Context, id string) (api.History, error) {
	var h api.History
	_, err := c.call(ctx, get("containers", id, "history"), &h)
	return h, err
}

// SpecOf returns the spec of a container in a generation, with its values of the environment left empty where EnvHidden
// is true; ErrNotFound where it is not kept.
func (c *Client) SpecOf(ctx context.Context, id string, generation int64) (version api.SpecVersion, envHidden bool, err error) {
	var h api.History
	q := get("containers", id, "history")
	q.query = url.Values{"generation": {strconv.FormatInt(generation, 10)}}
	if _, err = c.call(ctx, q, &h); err == nil && (len(h.Versions) != 1 || h.Versions[0].Spec == nil) {
		err = errors.New("the answer has no spec")
	}
	if err != nil {
		return api.SpecVersion{}, false, err
	}
	return h.Versions[0], h.EnvHidden, nil
}

// Drift tells, field by field, where Docker differs from a spec.
func (c *Client) Drift(ctx context.Context, id string) (api.Drift, error) {
	var d api.Drift
	_, err := c.call(ctx, get("containers", id, "drift"), &d)
	return d, err
}

// NodeDrift is Drift of all containers that a selector chooses.
func (c *Client) NodeDrift(ctx context.Context, selector string) (api.NodeDrift, error) {
	var all api.NodeDrift
	_, err := pages(ctx, c, get("drift").choosing(selector), func(p api.NodeDrift) string {
		next := p.Continue
		p.Containers, p.Continue = slices.Concat([]api.Drift{}, all.Containers, p.Containers), ""
		all = p
		return next
	})
	return all, err
}

// Metrics opens the metrics of the daemon, in the text format of Prometheus. Close them.
func (c *Client) Metrics(ctx context.Context) (io.ReadCloser, error) {
	r := get("metrics")
	r.accept = "text/plain"
	return c.openText(ctx, r)
}

// Backup opens a backup of the node, with the files of volumes or without, which the master token alone may
// make. One that ends without an error is whole. Close it.
func (c *Client) Backup(ctx context.Context, volumes bool) (io.ReadCloser, error) {
	r := request{method: http.MethodPost, path: "/backup", accept: "*/*"}
	if volumes {
		r.query = url.Values{"volumes": {"true"}}
	}
	return c.openText(ctx, r)
}

// Profile opens a profile of the daemon by the name of runtime/pprof, of "profile" (the CPU) or of "trace",
// recorded for some seconds; 0 is as long as net/http/pprof does. Close it.
func (c *Client) Profile(ctx context.Context, name string, seconds int) (io.ReadCloser, error) {
	r := get("debug", "pprof", name)
	r.accept = "*/*"
	if seconds > 0 {
		r.query = url.Values{"seconds": {strconv.Itoa(seconds)}}
	}
	return c.openText(ctx, r)
}

// InstallLog opens what the last installation of a container printed. Close it.
func (c *Client) InstallLog(ctx context.Context, id string) (io.ReadCloser, error) {
	r := get("containers", id, "install-log")
	r.accept = "text/plain"
	return c.openText(ctx, r)
}

// openText opens what is no JSON.
func (c *Client) openText(ctx context.Context, r request) (io.ReadCloser, error) {
	b, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	return b, nil
}
