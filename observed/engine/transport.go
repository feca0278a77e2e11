package engine

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"time"

	"github.com/docker/docker/client"
)

// dialer opens a connection to the engine.
type dialer func(ctx context.Context) (net.Conn, error)

// CheckHost reports an address of an engine that can be none; "" is the Docker client's own.
func CheckHost(host string) error {
	_, _, err := parseHost(host)
	return err
}

// parseHost returns the address in use, and how to reach it.
func parseHost(host string) (string, dialer, error) {
	host = cmp.Or(host, os.Getenv(client.EnvOverrideHost), client.DefaultDockerHost)
	u, err := client.ParseHostURL(host)
	if err != nil {
		return "", nil, fmt.Errorf("engine address: %w", err)
	}
	if u.Scheme != "unix" && u.Scheme != "tcp" {
		return "", nil, fmt.Errorf("engine address %q: the scheme is not unix or tcp", host)
	}
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return host, func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, u.Scheme, u.Host) }, nil
}

// newTransport pools connections. The controller has a few dozen calls under way at the
// most; streams leave the pool.
func newTransport(dial dialer, pooled bool) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: !pooled,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx)
		},
		DisableCompression:  true,
		MaxIdleConns:        16,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
	}
}

// headerReader passes the header of each response on, and bounds its body. Starts go over connections of their
// own: an engine that shuts down accepts no new ones, but still responds on those that it has,
// and a container that it starts then would delay its end.
type headerReader struct {
	next, fresh http.RoundTripper
	header      func(header http.Header)
}

// RoundTrip implements http.RoundTripper.
func (l *headerReader) RoundTrip(r *http.Request) (*http.Response, error) {
	next, start := l.next, r.Method == http.MethodPost && path.Base(r.URL.Path) == "start"
	if start {
		next = l.fresh
	}
	answer, err := next.RoundTrip(r)
	if err == nil {
		if start && (answer.StatusCode == http.StatusBadGateway || answer.StatusCode == http.StatusGatewayTimeout) {
			// A proxy has lost the engine: what was requested may have happened.
			answer.StatusCode = http.StatusServiceUnavailable
		}
		l.header(answer.Header)
		answer.Body = bounded(r, answer)
	}
	return answer, err
}
