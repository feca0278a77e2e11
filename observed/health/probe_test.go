package health

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lightd/desired"
)

func splitTest(test string) []string { return strings.Fields(test) }

// TestConnections probes a server that answers as it is asked to.
func TestConnections(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/bad":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/teapot":
			w.WriteHeader(http.StatusTeapot)
		case "/long":
			w.Header().Set("X-Long", strings.Repeat("x", 2*maxHead))
		case "/hang":
			<-r.Context().Done()
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}
	}))
	defer server.Close()
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := int(netip.MustParseAddrPort(closed.Addr().String()).Port())
	closed.Close()
	get := func(path string, expect int) probe {
		return probe{address: at.Addr(), http: &desired.HTTPCheck{Path: path, Port: int(at.Port()), Expect: expect}}
	}
	t.Setenv("HTTP_PROXY", other.URL)
	for _, c := range []struct {
		name    string
		probe   probe
		want    verdict
		message string
	}{
		{"a port", probe{address: at.Addr(), tcp: int(at.Port())}, passed, ""},
		{"a closed port", probe{address: at.Addr(), tcp: gone}, failed, ": connection refused"},
		{"a page", get("/", 0), passed, ""},
		{"a page with a query", get("/?a=b", 200), passed, ""},
		{"a redirect", get("/redirect", 0), passed, ""},
		{"a redirect that is not wanted", get("/redirect", 200), failed, "/redirect: status 302 instead of 200"},
		{"an error", get("/bad", 0), failed, "/bad: status 503"},
		{"an expected error", get("/teapot", 418), passed, ""},
		{"a long head", get("/long", 0), failed, "exceeded"},
		{"an endless answer", get("/endless", 0), passed, ""},
		{"no answer", get("/hang", 0), failed, "/hang: no answer within 1s"},
		{"a closed port of a page", probe{address: at.Addr(), http: &desired.HTTPCheck{Path: "/", Port: gone}}, failed, "connection refused"},
	} {
		f := c.probe.run(t.Context(), time.Second, nil)
		if f.verdict != c.want || !strings.HasSuffix(f.message, c.message) && !strings.Contains(f.message, c.message) || strings.Contains(f.message, "127.0.0.1") {
			t.Errorf("%s: %v %q", c.name, f.verdict, f.message)
		}
	}
	if elsewhere > 0 {
		t.Errorf("another server was asked %d times", elsewhere)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if f := get("/", 0).run(ended, time.Second, nil); f.verdict != inconclusive {
		t.Errorf("a probe that was cut off: %+v", f)
	}
}
