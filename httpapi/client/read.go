package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"lightd/httpapi/api"
)

func get(segments ...string) request {
	return request{method: http.MethodGet, path: pathOf(segments...)}
}

// choosing puts a selector into a request.
func (r request) choosing(selector string) request {
	if selector != "" {
		r.query = url.Values{"selector": {selector}}
	}
	return r
}

func isStatus(err error, status int) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Status == status
}

func asUnmet(err error, u **Unmet) bool { return errors.As(err, u) }

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
// it is empty.
func (c *Client) List(ctx context.Context, selector string) (Listing, error) {
	var l Listing
	a, err := c.call(ctx, get("containers").choosing(selector), &l)
	l.ETag = a.header.Get("ETag")
	return l, err
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

// Drift tells, field by field, where Docker differs from a spec.
func (c *Client) Drift(ctx context.Context, id string) (api.Drift, error) {
	var d api.Drift
	_, err := c.call(ctx, get("containers", id, "drift"), &d)
	return d, err
}

// NodeDrift is Drift of all containers that a selector chooses.
func (c *Client) NodeDrift(ctx context.Context, selector string) (api.NodeDrift, error) {
	var d api.NodeDrift
	_, err := c.call(ctx, get("drift").choosing(selector), &d)
	return d, err
}

// InstallLog opens what the last installation of a container printed. Close it.
func (c *Client) InstallLog(ctx context.Context, id string) (io.ReadCloser, error) {
	r := get("containers", id, "install-log")
	r.accept = "text/plain"
	b, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	return b, nil
}
