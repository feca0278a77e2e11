package httpapi

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"lightd/hack/harness"
)

const panelOrigin = "https://panel.example.com"

func newNodeForBrowsers(t *testing.T, origins ...string) *testServer {
	return newNode(t, func(c *config) { c.Origins = origins })
}

// TestPreflights: a browser asks before each request, without a token, and is answered on every route.
func TestPreflights(t *testing.T) {
	n := newNodeForBrowsers(t, panelOrigin)
	preflight := func(target, origin string) *http.Response {
		r := harness.Value[*http.Request](t)(http.NewRequest(http.MethodOptions, n.url+target, nil))
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "PATCH")
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
		response := harness.Value[*http.Response](t)(http.DefaultTransport.RoundTrip(r))
		body := harness.Value[[]byte](t)(io.ReadAll(response.Body))
		_ = response.Body.Close()
		if response.StatusCode == 401 && origin != "" && !strings.Contains(string(body), `"field":"Origin","message":"is not in the list origins`) {
			t.Errorf("%q: the answer names no setting: %s", origin, body)
		}
		return response
	}
	for _, r := range n.routes() {
		a := preflight(path(r.path), panelOrigin)
		h := a.Header
		if a.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != panelOrigin || !strings.Contains(h.Get("Access-Control-Allow-Methods"), r.method) ||
			h.Get("Access-Control-Max-Age") == "" || h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: got %d %v", r.path, a.StatusCode, h)
		}
		for _, name := range []string{"Authorization", "Content-Type", "Accept", "If-Match", "If-None-Match"} {
			if !strings.Contains(h.Get("Access-Control-Allow-Headers"), name) {
				t.Errorf("%s: %s may not be sent: %v", r.path, name, h)
			}
		}
	}
	for _, origin := range []string{"https://evil.example.com", "http://panel.example.com", panelOrigin + ":8443", "null", panelOrigin + ".evil.com", "https://evil@panel.example.com", panelOrigin + "/x", panelOrigin + "?x", ""} {
		if a := preflight("/containers", origin); a.StatusCode != 401 || a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%q: got %d %v", origin, a.StatusCode, a.Header)
		}
	}
	if log := n.logs.String(); strings.Count(log, "add it to origins in the configuration") != 1 || !strings.Contains(log, "origin=https://evil.example.com") {
		t.Errorf("the log has %s", log)
	}
	if a := preflight("/containers", strings.ToUpper(panelOrigin)); a.StatusCode != 204 {
		t.Errorf("an origin in capitals: got %d", a.StatusCode)
	}
}

// TestAnswersForBrowsers: a page of a listed origin may read each answer, a refusal too, and no other page may.
func TestAnswersForBrowsers(t *testing.T) {
	n := newNodeForBrowsers(t, panelOrigin)
	n.create("web")
	read := n.scoped("read")
	for name, c := range map[string]struct {
		method, target, body string
		header               string
		status               int
	}{
		"a read":              {"GET", "/containers", "", "Accept: application/json", 200},
		"a write":             {"POST", "/containers/web/stop", "[]", "Accept: application/json", 200},
		"no token":            {"GET", "/containers", "", "Authorization: ", 401},
		"a scope that lacks":  {"POST", "/containers/web/start", "", read, 403},
		"nothing there":       {"GET", "/containers/nobody", "", "Accept: application/json", 404},
		"an unknown route":    {"GET", "/nowhere", "", "Accept: application/json", 404},
		"another method":      {"DELETE", "/containers", "", "Accept: application/json", 405},
		"a bad body":          {"POST", "/containers", "{", "Accept: application/json", 400},
		"a public route":      {"GET", "/api/v1/public/ping", "", "Authorization: ", 200},
		"text":                {"GET", "/containers/web/install-log", "", "Accept: text/plain", 200},
		"what it has already": {"GET", "/network/ports/0.0.0.0/25565", "", "If-None-Match: *", 304},
	} {
		t.Run(name, func(t *testing.T) {
			for _, origin := range []string{panelOrigin, "https://evil.example.com"} {
				a := n.send(c.method, c.target, c.body, c.header, "Origin: "+origin).want(t, c.status, "")
				want := map[bool]string{true: panelOrigin}[origin == panelOrigin]
				if got := a.header.Get("Access-Control-Allow-Origin"); got != want {
					t.Errorf("of %s: allowed is %q", origin, got)
				}
				if !strings.Contains(a.header.Get("Vary"), "Origin") || a.header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("of %s: got %v", origin, a.header)
				}
				if exposed := a.header.Get("Access-Control-Expose-Headers"); want != "" && (!strings.Contains(exposed, "X-Request-Id") || !strings.Contains(exposed, "Retry-After") || !strings.Contains(exposed, "ETag")) {
					t.Errorf("exposed are %q", exposed)
				}
			}
		})
	}
	if a := newNodeForBrowsers(t).send("GET", "/containers", "", "Origin: "+panelOrigin).want(t, 200, ""); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("an origin is allowed though none is listed")
	}
	if a := newNodeForBrowsers(t, "*").send("GET", "/containers", "", "Origin: "+panelOrigin).want(t, 200, ""); a.header.Get("Access-Control-Allow-Origin") != panelOrigin {
		t.Errorf("with every origin allowed: got %v", a.header)
	}
}

// TestTooManyFailuresForBrowsers: a page can read how long it has to wait.
func TestTooManyFailuresForBrowsers(t *testing.T) {
	n := newNodeForBrowsers(t, panelOrigin)
	var a answer
	for range 100 {
		if a = n.send("GET", "/containers", "", "Authorization: Bearer lightd_wrong_01234567890123", "Origin: "+panelOrigin); a.status == 429 {
			break
		}
	}
	if a.status != 429 || a.header.Get("Access-Control-Allow-Origin") != panelOrigin || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %v", a.status, a.header)
	}
}
