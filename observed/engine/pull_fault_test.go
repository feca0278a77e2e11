package engine

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"

	"lightd/observed"
)

// TestPullFaults: what Docker 20.10 to 29 answers about pulls, with either image store.
func TestPullFaults(t *testing.T) {
	for text, want := range map[string]observed.PullFault{
		"manifest for alpine:nope not found: manifest unknown: manifest unknown":                                                             observed.PullNotFound,
		`failed to resolve reference "docker.io/library/alpine:nope": docker.io/library/alpine:nope: not found`:                              observed.PullNotFound,
		"pull access denied for nobody/x, repository does not exist or may require 'docker login': denied: requested access to the resource": observed.PullDenied,
		"unauthorized: authentication required":                                observed.PullDenied,
		`Head "https://r.example/v2/x/manifests/1": no basic auth credentials`: observed.PullDenied,
		`failed to resolve reference "r.example/x:1": unexpected status from HEAD request to https://r.example/v2/x/manifests/1: 403 Forbidden`:                             observed.PullDenied,
		`Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused`:                                                                                   observed.PullUnreachable,
		`Get "https://nope.example/v2/": dial tcp: lookup nope.example on 127.0.0.53:53: no such host`:                                                                      observed.PullUnreachable,
		`Head "https://registry-1.docker.io/v2/x/manifests/latest": EOF`:                                                                                                    observed.PullUnreachable,
		`Get "https://r.example/v2/": net/http: TLS handshake timeout`:                                                                                                      observed.PullTimeout,
		`dial tcp: lookup registry-1.docker.io on 127.0.0.53:53: read udp 127.0.0.1:1->127.0.0.53:53: i/o timeout`:                                                          observed.PullTimeout,
		"toomanyrequests: You have reached your pull rate limit.":                                                                                                           observed.PullRateLimited,
		`error parsing HTTP 429 response body: invalid character 'T' looking for beginning of value: "Too Many Requests (HAP429)."`:                                         observed.PullRateLimited,
		"received unexpected HTTP status: 503 Service Unavailable":                                                                                                          observed.PullServerError,
		"error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: \"<html>404</html>\"":                                                  observed.PullNotFound,
		"filesystem layer verification failed for digest sha256:aa":                                                                                                         observed.PullBadAnswer,
		"no matching manifest for linux/arm64/v8 in the manifest list entries":                                                                                              observed.PullNoPlatform,
		"write /var/lib/docker/tmp/GetImageBlob1: no space left on device":                                                                                                  observed.PullDiskFull,
		"error parsing HTTP 429 response body: " + strings.Repeat("<p>", 1<<20):                                                                                             observed.PullRateLimited,
		`Get "https://r.example/` + strings.Repeat("x", 1<<20) + `": x509: certificate signed by unknown`:                                                                   observed.PullUntrusted,
		`Get "https://r.example/v2/": x509: certificate signed by unknown authority`:                                                                                        observed.PullUntrusted,
		`failed to do request: Head "https://r.example/v2/": tls: failed to verify certificate: x509: certificate has expired`:                                              observed.PullUntrusted,
		`Get "https://r.example/v2/": remote error: tls: handshake failure`:                                                                                                 observed.PullTLS,
		`Get "https://r.example/v2/": http: server gave HTTP response to HTTPS client`:                                                                                      observed.PullNoTLS,
		`unexpected status from HEAD request to http://r.example/v2/x/manifests/1: 500 Internal Server Error`:                                                               observed.PullServerError,
		`error parsing HTTP 502 response body: invalid character '<' looking for beginning of value: "<html>"`:                                                              observed.PullServerError,
		"error pulling image configuration: download failed after attempts=1: unknown blob":                                                                                 observed.PullIncomplete,
		"failed to copy: httpReadSeeker: failed open: could not fetch content descriptor sha256:aa (application/vnd.docker.container.image.v1+json) from remote: not found": observed.PullIncomplete,
		"download failed after attempts=5: unexpected EOF":                                                                                                                  observed.PullCutOff,
		"download failed after attempts=5: EOF":                                                                                                                             observed.PullCutOff,
		"short read: expected 225 bytes but got 23: unexpected EOF":                                                                                                         observed.PullCutOff,
		`Head "/v2/x/manifests/1": stopped after 10 redirects`:                                                                                                              observed.PullBadAnswer,
		`Head "http://r.example/v2/x/manifests/1": unable to decode token response: EOF`:                                                                                    observed.PullBadAnswer,
		"unexpected end of JSON input": observed.PullBadAnswer,
		"error unmarshalling content: invalid character '<' looking for beginning of value":                                                   observed.PullBadAnswer,
		"manifest verification failed for digest sha256:aa":                                                                                   observed.PullBadAnswer,
		`failed commit on ref "config-sha256:aa": commit failed: unexpected commit digest sha256:bb, expected sha256:aa: failed precondition`: observed.PullBadAnswer,
		"failed to copy: httpReadSeeker: failed open: could not fetch content descriptor sha256:aa (text/html) from remote: not found":        observed.PullBadAnswer,
		`failed commit on ref "manifest-sha256:aa": commit failed: failed size validation: 612 != 611: failed precondition`:                   observed.PullBadAnswer,
		"something else": observed.PullFailed,
	} {
		err := fmt.Errorf("pull image a: %w: %w", cerrdefs.ErrInternal, errors.New(text))
		if got := PullFaultOf(err); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
	for _, c := range []struct {
		err  error
		want observed.PullFault
	}{
		{fmt.Errorf("pull image a: %w", io.ErrUnexpectedEOF), observed.PullEngineUnavailable},
		{fmt.Errorf("pull image a: %w", cerrdefs.ErrNotFound), observed.PullNotFound},
		{fmt.Errorf("pull image a: %w", cerrdefs.ErrUnauthenticated), observed.PullDenied},
	} {
		if got := PullFaultOf(c.err); got != c.want {
			t.Errorf("%v: %s, not %s", c.err, got, c.want)
		}
	}
}
