package engine

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
)

// TestPullFaults: what Docker 20.10 to 29 answers about pulls, with either image store.
func TestPullFaults(t *testing.T) {
	for text, want := range map[string]PullFault{
		"manifest for alpine:nope not found: manifest unknown: manifest unknown":                                                             PullNotFound,
		`failed to resolve reference "docker.io/library/alpine:nope": docker.io/library/alpine:nope: not found`:                              PullNotFound,
		"pull access denied for nobody/x, repository does not exist or may require 'docker login': denied: requested access to the resource": PullDenied,
		"unauthorized: authentication required":                                PullDenied,
		`Head "https://r.example/v2/x/manifests/1": no basic auth credentials`: PullDenied,
		`failed to resolve reference "r.example/x:1": unexpected status from HEAD request to https://r.example/v2/x/manifests/1: 403 Forbidden`: PullDenied,
		`Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused`:                                                       PullUnreachable,
		`Get "https://nope.example/v2/": dial tcp: lookup nope.example on 127.0.0.53:53: no such host`:                                          PullUnreachable,
		`Head "https://registry-1.docker.io/v2/x/manifests/latest": EOF`:                                                                        PullUnreachable,
		`Get "https://r.example/v2/": x509: certificate signed by unknown authority`:                                                            PullTLS,
		`Get "https://r.example/v2/": http: server gave HTTP response to HTTPS client`:                                                          PullTLS,
		`Get "https://r.example/v2/": net/http: TLS handshake timeout`:                                                                          PullTimeout,
		`dial tcp: lookup registry-1.docker.io on 127.0.0.53:53: read udp 127.0.0.1:1->127.0.0.53:53: i/o timeout`:                              PullTimeout,
		"toomanyrequests: You have reached your pull rate limit.":                                                                               PullRateLimited,
		`error parsing HTTP 429 response body: invalid character 'T' looking for beginning of value: "Too Many Requests (HAP429)."`:             PullRateLimited,
		"received unexpected HTTP status: 503 Service Unavailable":                                                                              PullBadAnswer,
		"error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: \"<html>404</html>\"":                      PullNotFound,
		"filesystem layer verification failed for digest sha256:aa":                                                                             PullBadAnswer,
		"no matching manifest for linux/arm64/v8 in the manifest list entries":                                                                  PullNoPlatform,
		"write /var/lib/docker/tmp/GetImageBlob1: no space left on device":                                                                      PullDiskFull,
		"error parsing HTTP 429 response body: " + strings.Repeat("<p>", 1<<20):                                                                 PullRateLimited,
		`Get "https://r.example/` + strings.Repeat("x", 1<<20) + `": x509: certificate signed by unknown`:                                       PullTLS,
		"something else": PullFailed,
	} {
		err := fmt.Errorf("pull image a: %w: %w", cerrdefs.ErrInternal, errors.New(text))
		if got := PullFaultOf(err); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
	for _, c := range []struct {
		err  error
		want PullFault
	}{
		{fmt.Errorf("pull image a: %w", io.ErrUnexpectedEOF), PullEngineUnavailable},
		{fmt.Errorf("pull image a: %w", cerrdefs.ErrNotFound), PullNotFound},
		{fmt.Errorf("pull image a: %w", cerrdefs.ErrUnauthenticated), PullDenied},
	} {
		if got := PullFaultOf(c.err); got != c.want {
			t.Errorf("%v: %s, not %s", c.err, got, c.want)
		}
	}
}
