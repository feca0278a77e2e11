package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
)

// Ports lists the network pool.
func (c *Client) Ports(ctx context.Context) ([]desired.PoolPort, error) {
	type page struct {
		Ports    []desired.PoolPort `json:"ports"`
		Continue string             `json:"continue"`
	}
	all := []desired.PoolPort{}
	_, err := pages(ctx, c, get("network", "ports"), func(p page) string {
		all = append(all, p.Ports...)
		return p.Continue
	})
	return all, err
}

// Port reads one port of the pool.
func (c *Client) Port(ctx context.Context, e desired.Endpoint) (desired.PoolPort, error) {
	var p desired.PoolPort
	_, err := c.call(ctx, portRequest(http.MethodGet, e), &p)
	return p, err
}

func portRequest(method string, e desired.Endpoint, more ...string) request {
	r := request{method: method, path: pathOf(append([]string{"network", "ports", e.IP, strconv.Itoa(e.Port)}, more...)...)}
	if e.Protocol != "" {
		r.query = url.Values{"protocol": {string(e.Protocol)}}
	}
	return r
}

// RandomPort returns a free port of the pool; it is not reserved. An empty protocol is any.
func (c *Client) RandomPort(ctx context.Context, p desired.Protocol) (desired.PoolPort, error) {
	r := get("network", "ports", "random")
	if p != "" {
		r.query = url.Values{"protocol": {string(p)}}
	}
	var port desired.PoolPort
	_, err := c.call(ctx, r, &port)
	return port, err
}

// AddPort puts a port into the pool. ErrConflict when it is there.
func (c *Client) AddPort(ctx context.Context, e desired.Endpoint) error {
	e.Protocol = desired.NormalProtocol(e.Protocol)
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/network/ports", body: e}, nil)
	return err
}

// AddPorts puts a range of ports, from first to last, into the pool, all or none.
func (c *Client) AddPorts(ctx context.Context, ip string, first, last int, p desired.Protocol) error {
	body := struct {
		IP       string           `json:"ip"`
		Ports    string           `json:"ports"`
		Protocol desired.Protocol `json:"protocol,omitempty"`
	}{ip, strconv.Itoa(first) + "-" + strconv.Itoa(last), p}
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/network/ports", body: body}, nil)
	return err
}

// UsePort takes a port out of service, or puts it back.
func (c *Client) UsePort(ctx context.Context, e desired.Endpoint, inUse bool) (desired.PoolPort, error) {
	r := portRequest(http.MethodPut, e, "use")
	r.body, r.repeats = map[string]bool{"in_use": inUse}, true
	var p desired.PoolPort
	_, err := c.call(ctx, r, &p)
	return p, err
}

// DeletePort takes a port out of the pool. ErrConflict while it is in use.
func (c *Client) DeletePort(ctx context.Context, e desired.Endpoint) error {
	r := portRequest(http.MethodDelete, e)
	r.repeats = true
	_, err := c.remove(ctx, r, nil)
	return err
}

// DeletePorts takes several ports out of the pool, all or none.
func (c *Client) DeletePorts(ctx context.Context, all []desired.Endpoint) error {
	body := struct {
		Ports []desired.Endpoint `json:"ports"`
	}{make([]desired.Endpoint, 0, len(all))}
	for _, e := range all {
		e.Protocol = desired.NormalProtocol(e.Protocol)
		body.Ports = append(body.Ports, e)
	}
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/network/ports/bulk-delete", body: body}, nil)
	return err
}

// Volumes lists the volumes.
func (c *Client) Volumes(ctx context.Context) ([]api.Volume, error) {
	type page struct {
		Volumes  []api.Volume `json:"volumes"`
		Continue string       `json:"continue"`
	}
	all := []api.Volume{}
	_, err := pages(ctx, c, get("volumes"), func(p page) string {
		all = append(all, p.Volumes...)
		return p.Continue
	})
	return all, err
}

// Stats measures what one container uses.
func (c *Client) Stats(ctx context.Context, id string) (api.Stats, error) {
	var s api.Stats
	_, err := c.call(ctx, get("containers", id, "stats"), &s)
	return s, err
}

// AllStats measures what the containers use that a selector chooses; all by an empty one.
func (c *Client) AllStats(ctx context.Context, selector string) ([]api.Stats, error) {
	type page struct {
		Stats    []api.Stats `json:"stats"`
		Continue string      `json:"continue"`
	}
	all := []api.Stats{}
	_, err := pages(ctx, c, get("stats").choosing(selector), func(p page) string {
		all = append(all, p.Stats...)
		return p.Continue
	})
	return all, err
}

// Node describes the machine of the daemon.
func (c *Client) Node(ctx context.Context) (api.Node, error) {
	var n api.Node
	_, err := c.call(ctx, get("node"), &n)
	return n, err
}

// Cordon puts the node out of service, or changes its cordon: nothing new is started, and where drain is true what
// runs is stopped, so many at once; 0 is the daemon's default. ErrForbidden without the scope admin.
func (c *Client) Cordon(ctx context.Context, want desired.Cordon) (api.Cordon, error) {
	body := map[string]any{"drain": want.Drain, "reason": want.Reason}
	if want.Parallel != 0 {
		body["parallel"] = want.Parallel
	}
	var cordon api.Cordon
	_, err := c.call(ctx, request{method: http.MethodPut, path: "/node/cordon", body: body, repeats: true}, &cordon)
	return cordon, err
}

// Uncordon puts the node back into service. ErrForbidden without the scope admin.
func (c *Client) Uncordon(ctx context.Context) error {
	_, err := c.remove(ctx, request{method: http.MethodDelete, path: "/node/cordon", repeats: true}, nil)
	return err
}

// Webhooks lists the webhooks of the daemon's configuration, with how far each one is.
func (c *Client) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	var answer struct {
		Webhooks []api.Webhook `json:"webhooks"`
	}
	_, err := c.call(ctx, get("webhooks"), &answer)
	return answer.Webhooks, err
}

// RetryWebhook has a webhook that fails try its delivery at once, and returns its state before that.
func (c *Client) RetryWebhook(ctx context.Context, name string) (w api.Webhook, err error) {
	_, err = c.call(ctx, request{method: http.MethodPost, path: pathOf("webhooks", name, "retry"), repeats: true}, &w)
	return w, err
}

// SetVolumeQuota bounds what the volume of an id takes of the disk, in bytes; 0 ends that. It makes the volume where
// there is none, as EnsureVolume does.
func (c *Client) SetVolumeQuota(ctx context.Context, id string, bytes int64) (api.Volume, error) {
	var v api.Volume
	body := map[string]int64{"quota_bytes": bytes}
	_, err := c.call(ctx, request{method: http.MethodPut, path: pathOf("volumes", id), body: body, repeats: true}, &v)
	return v, err
}

// Volume reads one volume, with its size.
func (c *Client) Volume(ctx context.Context, id string) (api.SizedVolume, error) {
	var v api.SizedVolume
	_, err := c.call(ctx, get("volumes", id), &v)
	return v, err
}

// CreateVolume makes a volume with a new id. EnsureVolume can be repeated after a lost answer.
func (c *Client) CreateVolume(ctx context.Context) (api.Volume, error) {
	var v api.Volume
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/volumes"}, &v)
	return v, err
}

// EnsureVolume makes the volume of an id, a UUID in lower case, or keeps the one that is there. ErrConflict
// where the id is that of a volume that the token is not for.
func (c *Client) EnsureVolume(ctx context.Context, id string) (api.Volume, error) {
	var v api.Volume
	_, err := c.call(ctx, request{method: http.MethodPut, path: pathOf("volumes", id), repeats: true}, &v)
	return v, err
}

// deleteVolumeWaits is how long the daemon may take to remove the files of a volume.
const deleteVolumeWaits = time.Minute

// DeleteVolume deletes a volume and its data. ErrConflict while a container names it.
func (c *Client) DeleteVolume(ctx context.Context, id string) error {
	_, err := c.remove(ctx, request{method: http.MethodDelete, path: pathOf("volumes", id), repeats: true, waits: deleteVolumeWaits}, nil)
	return err
}

// CreateToken makes a token. Only a token with the scope admin may do so: ErrForbidden.
func (c *Client) CreateToken(ctx context.Context, spec api.TokenSpec) (api.CreatedToken, error) {
	var t api.CreatedToken
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/auth/tokens", body: spec}, &t)
	return t, err
}

// Tokens lists the tokens that hold.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	type page struct {
		Tokens   []api.Token `json:"tokens"`
		Continue string      `json:"continue"`
	}
	all := []api.Token{}
	_, err := pages(ctx, c, get("auth", "tokens"), func(p page) string {
		all = append(all, p.Tokens...)
		return p.Continue
	})
	return all, err
}

// FormerMaster returns the master token that was replaced and still holds; nil where none does. A token for
// some containers is not shown it.
func (c *Client) FormerMaster(ctx context.Context) (*api.FormerMaster, error) {
	var page struct {
		FormerMaster *api.FormerMaster `json:"former_master"`
	}
	_, err := c.call(ctx, get("auth", "tokens").with("limit", "1"), &page)
	return page.FormerMaster, err
}

// Token reads what is known of the token of an id.
func (c *Client) Token(ctx context.Context, id string) (api.Token, error) {
	var t api.Token
	_, err := c.call(ctx, get("auth", "tokens", id), &t)
	return t, err
}

// RevokeToken ends the token of an id, and those that it has made.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	_, err := c.remove(ctx, request{method: http.MethodDelete, path: pathOf("auth", "tokens", id), repeats: true}, nil)
	return err
}

// Ping reports whether a daemon answers. It needs no token.
func (c *Client) Ping(ctx context.Context) error {
	return c.ask(ctx, "/api/v1/public/ping")
}

// Healthy reports whether the daemon's process works. It needs no token.
func (c *Client) Healthy(ctx context.Context) error { return c.ask(ctx, "/healthz") }

// Ready reports whether the daemon's database and engine answer; the details of the
// ErrUnavailable say which does not. It asks once, and needs no token.
func (c *Client) Ready(ctx context.Context) error { return c.ask(ctx, "/readyz") }

// Readiness is Ready, with the warnings of a daemon that is ready.
func (c *Client) Readiness(ctx context.Context) (api.Ready, error) {
	var ready api.Ready
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/readyz", once: true}, &ready)
	return ready, err
}

func (c *Client) ask(ctx context.Context, path string) error {
	_, err := c.call(ctx, request{method: http.MethodGet, path: path, once: true}, nil)
	return err
}

// OpenAPI reads the daemon's own description, an OpenAPI 3.1 document in JSON.
func (c *Client) OpenAPI(ctx context.Context) (json.RawMessage, error) {
	var document json.RawMessage
	_, err := c.call(ctx, get("openapi.json"), &document)
	return document, err
}
