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

// Volume reads one volume, with its size.
func (c *Client) Volume(ctx context.Context, id string) (api.SizedVolume, error) {
	var v api.SizedVolume
	_, err := c.call(ctx, get("volumes", id), &v)
	return v, err
}

// CreateVolume makes a volume. Only its id and its path are told.
func (c *Client) CreateVolume(ctx context.Context) (api.Volume, error) {
	var v api.Volume
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/volumes"}, &v)
	return v, err
}

// deleteVolumeWaits is how long the daemon may take to remove the files of a volume.
const deleteVolumeWaits = time.Minute

// DeleteVolume deletes a volume and its data. ErrConflict while a container names it.
func (c *Client) DeleteVolume(ctx context.Context, id string) error {
	_, err := c.remove(ctx, request{method: http.MethodDelete, path: pathOf("volumes", id), repeats: true, waits: deleteVolumeWaits}, nil)
	return err
}

// Token is a temporary token. It is told once.
type Token struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

// CreateToken makes a temporary token, of at least a second and at most 30 days; single is
// for one use. Only the master token may do so: ErrForbidden.
func (c *Client) CreateToken(ctx context.Context, ttl time.Duration, single bool) (Token, error) {
	body := struct {
		TTL         string `json:"ttl"`
		RemoveOnUse bool   `json:"remove_on_use"`
	}{strconv.FormatInt(int64(ttl/time.Second), 10) + "s", single}
	var t Token
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/auth/tokens", body: body}, &t)
	return t, err
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
