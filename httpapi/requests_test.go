package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/harness"
	"lightd/httpapi/rest"
)

// path fills the parameters of a route's path.
func path(pattern string) string {
	return strings.NewReplacer(":id", "web", ":name", "panel", ":ip", "0.0.0.0", ":port", "25565").Replace(pattern)
}

func TestNothingWithoutToken(t *testing.T) {
	n := newNode(t)
	n.create("web")
	before := n.dump()
	for _, r := range n.routes() {
		if strings.HasSuffix(r.path, "/:token") {
			n.send(r.method, r.path, "", "Authorization: ").want(t, 404, "link_not_found")
			continue
		}
		if r.access.public() {
			n.send(r.method, r.path, "", "Authorization: ").want(t, 200, "{")
			continue
		}
		t.Run(r.method+r.path, func(t *testing.T) {
			a := n.send(r.method, path(r.path), "{}", "Authorization: ").want(t, 401, `"error":"Unauthorized"`)
			if got := a.header.Get("WWW-Authenticate"); got != `Bearer realm="lightd"` {
				t.Errorf("WWW-Authenticate is %q", got)
			}
		})
	}
	for _, public := range []string{"/api/v1/public/ping", "/healthz", "/readyz", "/openapi.json"} {
		n.send("HEAD", public, "", "Authorization: ").want(t, 200, "")
	}
	for _, unknown := range []string{"HEAD /containers", "HEAD /nowhere", "GET /nowhere", "GET /", "DELETE /containers", "PUT /healthz", "GET /ws/", "BREW /pot"} {
		method, target, _ := strings.Cut(unknown, " ")
		n.send(method, target, "", "Authorization: ").want(t, 401, map[bool]string{false: "Unauthorized"}[method == "HEAD"])
	}
	if after := n.dump(); after != before {
		t.Errorf("something was written:\n%s\n%s", before, after)
	}
}

// TestWhyUnauthorized: what is missing is told apart from what is not valid, and nothing of a token is told.
func TestWhyUnauthorized(t *testing.T) {
	n := newNode(t)
	revoked := n.send("POST", "/auth/tokens", `{"ttl":"1h"}`).want(t, 201, "")
	n.send("DELETE", "/auth/tokens/"+revoked.json["id"].(string), "").want(t, 200, "")
	for name, c := range map[string]struct{ target, header, message, challenge string }{
		"none":                {"/containers", "", `"field":"Authorization","message":"is missing`, ""},
		"none, for a stream":  {"/ws", "", `"field":"Authorization","message":"is missing`, ""},
		"another scheme":      {"/containers", "Basic eA==", `must be \"Bearer TOKEN\" with one token`, "invalid_request"},
		"malformed":           {"/containers", "Bearer x", `must be \"Bearer TOKEN\" with one token`, "invalid_request"},
		"in the address":      {"/containers?token=" + masterToken, "", `"field":"token","message":"counts in the address of a WebSocket only`, "invalid_request"},
		"in two places":       {"/ws?token=" + masterToken, "Bearer " + masterToken, `must be \"Bearer TOKEN\" with one token`, "invalid_request"},
		"unknown":             {"/containers", "Bearer lightd_0123456789abcdef0123", "has a token that is unknown or has ended", "invalid_token"},
		"revoked":             {"/containers", "Bearer " + revoked.json["token"].(string), "has a token that is unknown or has ended", "invalid_token"},
		"unknown, in address": {"/ws?token=lightd_0123456789abcdef0123", "", "has a token that is unknown or has ended", "invalid_token"},
	} {
		want := `Bearer realm="lightd"`
		if c.challenge != "" {
			want += `, error="` + c.challenge + `"`
		}
		a := n.send("GET", c.target, "", "Authorization: "+c.header).want(t, 401, c.message)
		if got := a.header.Get("WWW-Authenticate"); got != want || !strings.Contains(a.text, `"code":"unauthorized"`) || strings.Contains(a.text, "lightd_") {
			t.Errorf("%s: WWW-Authenticate is %q: %s", name, got, a.text)
		}
	}
}

func TestTokens(t *testing.T) {
	n := newNode(t)
	for _, value := range []string{
		"Bearer", "Bearer ", "Bearer lightd_", "Bearer " + masterToken + "x", "Bearer  " + masterToken,
		"Basic " + masterToken, masterToken, "Bearer lightd_\u00e4" + masterToken, "Bearer " + strings.Repeat("lightd_", 60),
		"Bearer " + masterToken + ",Bearer " + masterToken,
	} {
		n.send("GET", "/containers", "", "Authorization: "+value).want(t, 401, "Unauthorized")
	}
	n.send("GET", "/containers", "", "Authorization: bearer "+masterToken).want(t, 200, "containers")
	n.send("GET", "/containers?token="+masterToken, "", "Authorization: ").want(t, 401, "Unauthorized")
	n.send("GET", "/containers?token="+masterToken, "").want(t, 401, "Unauthorized")
	twice := harness.Value[*http.Request](t)(http.NewRequest("GET", n.url+"/containers", nil))
	twice.Header["Authorization"] = []string{"Bearer " + masterToken, "Bearer " + masterToken}
	n.do(twice).want(t, 401, "Unauthorized")

	made := n.send("POST", "/auth/tokens", `{"ttl":"1h"}`).want(t, 201, `"expires_at":"20`)
	temporary := "Authorization: Bearer " + made.json["token"].(string)
	n.send("POST", "/auth/tokens", `{"ttl":"1h"}`, temporary).want(t, 403, "insufficient_scope")
	n.send("GET", "/containers", "", temporary).want(t, 200, "containers")
	for _, ttl := range []string{``, `0s`, `1`, `h`, `1.5h`, `-1h`, `+1h`, `1h1m`, `31d`, `1000000000000000000d`} {
		n.send("POST", "/auth/tokens", fmt.Sprintf(`{"ttl":%q}`, ttl)).want(t, 400, `"field":"ttl"`)
	}
	made = n.send("POST", "/auth/tokens", `{"ttl":"1h","remove_on_use":true}`).want(t, 201, "token")
	once := "Authorization: Bearer " + made.json["token"].(string)
	var let atomic.Int32
	var gone sync.WaitGroup
	for range 20 {
		gone.Go(func() {
			if n.send("GET", "/containers", "", once).status == http.StatusOK {
				let.Add(1)
			}
		})
	}
	gone.Wait()
	if let.Load() != 1 {
		t.Errorf("a single-use token worked %d times", let.Load())
	}
	if logged := n.logs.String(); strings.Contains(logged, "lightd_") {
		t.Errorf("a token was logged: %s", logged)
	}
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("GET", "/nowhere", "").want(t, 404, `"code":"not_found"`)
	n.send("GET", "/containers/", "").want(t, 404, `"error":"Route not found"`)
	a := n.send("DELETE", "/containers", "").want(t, 405, `"code":"method_not_allowed"`)
	for _, method := range []string{"GET", "HEAD", "POST"} {
		if !strings.Contains(a.header.Get("Allow"), method) {
			t.Errorf("Allow is %q", a.header.Get("Allow"))
		}
	}
	n.send("GET", "/containers/web/start", "").want(t, 405, "Method not allowed")
	for _, target := range []string{"/ws", "/ws/web", "/containers?watch=true", "/containers/web/logs?follow=true"} {
		if a := n.send("HEAD", target, "").want(t, 405, ""); strings.Contains(a.header.Get("Allow"), "HEAD") {
			t.Errorf("HEAD %s is refused, though it is allowed: %s", target, a.header.Get("Allow"))
		}
	}
	get, head := n.send("GET", "/containers/web", ""), n.send("HEAD", "/containers/web", "").want(t, 200, "")
	for _, name := range []string{"ETag", "Content-Type", "Cache-Control", "Content-Length"} {
		if get.header.Get(name) != head.header.Get(name) {
			t.Errorf("%s: GET says %q, HEAD %q", name, get.header.Get(name), head.header.Get(name))
		}
	}
	n.send("HEAD", "/containers/nobody", "").want(t, 404, "")
	for _, id := range []string{
		"..%2fx", "%2e%2e", "..", "a%00b", "w%C3%A9b", "%ff", "web%0a", "WEB", strings.Repeat("a", 300), "web%2Fstart", "%25", "'%22",
	} {
		for _, suffix := range []string{"", "/start", "/events", "/install-log"} {
			method := map[bool]string{true: "POST", false: "GET"}[suffix == "/start"]
			if a := n.send(method, "/containers/"+id+suffix, ""); a.status != 404 && a.status != 400 && a.status != 405 {
				t.Errorf("%s %s%s: got %d %s", method, id, suffix, a.status, a.text)
			}
		}
	}
}

func TestAccept(t *testing.T) {
	n := newNode(t)
	cases := []struct {
		accept string
		status int
		media  string
	}{
		{"", 200, rest.MediaJSON},
		{"*/*", 200, rest.MediaJSON},
		{"application/*", 200, rest.MediaJSON},
		{"application/json", 200, rest.MediaJSON},
		{"Application/vnd.pkglatv1+json", 200, rest.MediaVendor},
		{"APPLICATION/VND.PKGLATV1+JSON", 200, rest.MediaVendor},
		{"text/html, application/vnd.pkglatv1+json;q=0.9, */*;q=0.1", 200, rest.MediaVendor},
		{"application/json;q=0.2, application/vnd.pkglatv1+json;q=0.1", 200, rest.MediaJSON},
		{"text/html", 406, rest.MediaJSON},
		{"application/json;q=0", 406, rest.MediaJSON},
		{"application/json;q=x", 406, rest.MediaJSON},
		{"/", 406, rest.MediaJSON},
		{"text/plain", 406, rest.MediaJSON},
	}
	for _, c := range cases {
		header := "Accept: " + c.accept
		if a := n.send("GET", "/containers", "", header); a.status != c.status || a.header.Get("Content-Type") != c.media {
			t.Errorf("Accept %q: got %d %s, want %d %s", c.accept, a.status, a.header.Get("Content-Type"), c.status, c.media)
		}
	}
	n.send("GET", "/nowhere", "", "Accept: Application/vnd.pkglatv1+json").want(t, 404, "Route not found")
	n.create("web")
	a := n.send("GET", "/containers/web/install-log", "", "Accept: text/plain").want(t, 200, "installed\n")
	if a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("the install log is %s", a.header.Get("Content-Type"))
	}
	n.send("GET", "/containers/web/install-log", "", "Accept: image/png").want(t, 406, "text/plain")
	n.send("GET", "/containers?watch=true", "", "Accept: image/png").want(t, 406, "text/event-stream")
}

// TestBadInput sends what is wrong in one way to every route that could take it. A dry run of
// it is refused alike.
func TestBadInput(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	spec := n.spec("new")
	with := func(field, value string) string {
		return strings.TrimSuffix(spec, "}") + fmt.Sprintf(",%q:%s}", field, value)
	}
	cases := []struct {
		name, request, body string
		status              int
		text                string
		header              []string
	}{
		{"no body", "POST /containers", "", 400, "a JSON object is expected", nil},
		{"a list", "POST /containers", "[{}]", 400, "a JSON object is expected", nil},
		{"two objects", "POST /containers", spec + spec, 400, "follows", nil},
		{"cut off", "POST /containers", spec[:20], 400, "too early", nil},
		{"a key twice", "POST /containers", with("image", `"a"`), 400, `"field":"image"`, nil},
		{"another case", "POST /containers", with("Env", `{}`), 400, `"field":"Env"`, nil},
		{"an unknown field", "POST /containers", with("privileged", `true`), 400, `"field":"privileged"`, nil},
		{"an unknown field below", "POST /containers", with("limits", `{"disk":1}`), 400, `"field":"limits.disk"`, nil},
		{"NUL", "POST /containers", with("user", `"a\u0000"`), 400, `"field":"user"`, nil},
		{"UTF-8", "POST /containers", with("user", "\"\xff\""), 400, "UTF-8", nil},
		{"null in a list", "POST /containers", with("ports", `[null]`), 400, `"field":"ports[0]"`, nil},
		{"null in a map", "POST /containers", with("env", `{"A":null}`), 400, `"field":"env.A"`, nil},
		{"1e999", "POST /containers", with("limits", `{"cpu":1e999}`), 400, `"field":"limits.cpu"`, nil},
		{"2^63", "POST /containers", with("limits", `{"memory":9223372036854775808}`), 400, `"field":"limits.memory"`, nil},
		{"-1", "POST /containers", with("limits", `{"memory":-1}`), 400, `"field":"limits.memory"`, nil},
		{"1.5 bytes", "POST /containers", with("limits", `{"memory":1.5}`), 400, `"field":"limits.memory"`, nil},
		{"nested", "POST /containers", strings.Repeat(`{"env":`, 100_000), 400, "nests deeper", nil},
		{"too large", "POST /containers", with("user", `"`+strings.Repeat("a", rest.MaxBody)+`"`), 413, "1 MiB", nil},
		{"no type", "POST /containers", spec, 415, "application/json", []string{"Content-Type: "}},
		{"text", "POST /containers", spec, 415, "application/json", []string{"Content-Type: text/plain"}},
		{"Latin-1", "POST /containers", spec, 415, "application/json", []string{"Content-Type: application/json; charset=latin1"}},
		{"a merge patch", "POST /containers", spec, 415, "application/json", []string{"Content-Type: application/merge-patch+json"}},
		{"gzip", "POST /containers", spec, 415, "compressed", []string{"Content-Encoding: gzip"}},
		{"an unknown parameter", "POST /containers?force=true", spec, 400, `"field":"force"`, nil},
		{"a parameter", "POST /containers?dry_run=maybe", spec, 400, `"field":"dry_run"`, nil},
		{"a malformed query", "POST /containers?a=%zz", spec, 400, "query", nil},
		{"the id taken", "POST /containers", n.spec("web"), 409, `"error":"Container already exists"`, nil},
		{"a bad id", "POST /containers", n.spec("../x"), 400, `"field":"internal_id"`, nil},
		{"no volume", "POST /containers", strings.Replace(spec, n.volume, "d6764075-c5f1-4045-9fb3-85315b85cb0f", 1), 400, `"error":"Volume not found"`, nil},
		{"a volume that none can be", "POST /containers", strings.Replace(spec, n.volume, "../data", 1), 400, `"error":"Volume not found"`, nil},
		{"no word of a volume", "POST /containers", strings.Replace(spec, n.volume, "", 1), 400, "volume_id is required", nil},
		{"a foreign port", "POST /containers", with("ports", `[{"port":80}]`), 400, `"error":"Port not found in network pool"`, nil},
		{"port 65536", "POST /containers", with("ports", `[{"port":65536}]`), 400, `"field":"ports[0].port"`, nil},
		{"a stop timeout", "POST /containers", with("stop", `{"timeout":"soon"}`), 400, `"field":"stop.timeout"`, nil},
		{"a stop timeout without a unit", "POST /containers", with("stop", `{"timeout":10}`), 400, `stop.timeout must be a duration in quotes`, nil},
		{"If-Match on a create", "POST /containers", spec, 412, "precondition", []string{"If-Match: *"}},

		{"another id", "PUT /containers/web", n.spec("other"), 400, `"field":"internal_id"`, nil},
		{"a bad id in the path", "PUT /containers/-x", strings.Replace(spec, `"internal_id":"new",`, "", 1), 400, `"field":"internal_id"`, nil},
		{"nothing but an id", "PUT /containers/web", "{}", 400, `"field":"image"`, nil},
		{"a stale tag", "PUT /containers/web", n.spec("web"), 412, "precondition", []string{`If-Match: "1-1"`}},
		{"a weak tag", "PUT /containers/web", n.spec("web"), 412, "precondition", []string{`If-Match: W/"1-1"`}},
		{"a bare tag", "PUT /containers/web", n.spec("web"), 400, "If-Match", []string{`If-Match: 1`}},
		{"any tag, and another", "PUT /containers/web", n.spec("web"), 400, "If-Match", []string{`If-Match: *, "1"`}},
		{"there already", "PUT /containers/web", n.spec("web"), 412, "precondition", []string{`If-None-Match: *`}},
		{"not there", "PUT /containers/new", spec, 412, "precondition", []string{`If-Match: *`}},

		{"a patch of the id", "PATCH /containers/web", `{"internal_id":"x"}`, 400, `"field":"internal_id"`, nil},
		{"a patch away", "PATCH /containers/web", `{"image":null}`, 400, `"field":"image"`, nil},
		{"a patch of nothing known", "PATCH /containers/web", `{"bogus":{"a":1}}`, 400, `"field":"bogus"`, nil},
		{"a patch away of nothing known", "PATCH /containers/web", `{"bogus":null}`, 400, `"field":"bogus"`, nil},
		{"a patch away of nothing known below", "PATCH /containers/web", `{"stop":{"grace":null}}`, 400, `"field":"stop.grace"`, nil},
		{"a patch of nobody", "PATCH /containers/new", `{}`, 404, `"error":"Container not found"`, nil},
		{"a patch with null in a list", "PATCH /containers/web", `{"ports":[null]}`, 400, `"field":"ports[0]"`, nil},

		{"nobody", "POST /containers/new/start", "", 404, `"error":"Container not found"`, nil},
		{"a start with a body", "POST /containers/web/start", `{"force":true}`, 400, `"field":"force"`, nil},
		{"a kill with garbage", "POST /containers/web/kill", `x`, 400, "malformed", nil},
		{"a stale start", "POST /containers/web/start", "", 412, "precondition", []string{`If-Match: "1-1"`}},
		{"a delete with a body", "DELETE /containers/web", `{"x":1}`, 400, `"field":"x"`, nil},
		{"a delete of nobody", "DELETE /containers/new", "", 404, "Container not found", nil},
		{"a tag of no volume", "POST /volumes", "", 400, `"field":"If-Match"`, []string{`If-Match: *`}},
		{"a tag of no port", "POST /network/ports", `{"ip":"0.0.0.0","port":1}`, 400, `"field":"If-None-Match"`, []string{`If-None-Match: *`}},
		{"a token on trial", "POST /auth/tokens?dry_run=true", `{"ttl":"1h"}`, 400, `"field":"dry_run"`, nil},
		{"a dry run twice", "POST /volumes?dry_run=true&dry_run=true", "", 400, `"field":"dry_run"`, nil},
		{"stale before garbage", "PATCH /containers/web", `garbage`, 412, "precondition", []string{`If-Match: "1-1"`}},
		{"stale before the wrong state", "POST /containers/web/rebind-network", `{"ports":[{"port":80}]}`, 412, "precondition", []string{`If-None-Match: *`}},
		{"there already, though conflicting", "POST /containers", n.spec("web"), 412, "precondition", []string{`If-None-Match: *`}},
		{"a stale delete", "DELETE /containers/web", "", 412, "precondition", []string{`If-Match: "1-1"`}},

		{"a reinstall with a port", "POST /containers/web/reinstall", `{"ports":[]}`, 400, `"field":"ports"`, nil},
		{"a reinstall with a bad image", "POST /containers/web/reinstall", `{"image":"-v"}`, 400, `"field":"image"`, nil},
		{"a rebind to nothing", "POST /containers/web/rebind-network", `{}`, 400, `"field":"ports"`, nil},
		{"a rebind to a foreign port", "POST /containers/web/rebind-network", `{"ports":[{"port":80}]}`, 400, "Port not found in network pool", nil},

		{"a selector", "GET /containers?selector=,", "", 400, `"field":"selector"`, nil},
		{"a selector twice", "GET /containers?selector=a&selector=b", "", 400, `"field":"selector"`, nil},
		{"a selector that nothing fails", "GET /containers?selector=!a=b", "", 400, `"field":"selector"`, nil},
		{"a selector of an empty set", "GET /containers?selector=a%20in%20()", "", 400, "the set is empty", nil},
		{"a prune by what is no selector", "POST /apply", `{"containers":[],"prune":true,"selector":"a notin (b"}`, 400, `"field":"selector"`, nil},
		{"a drift of two selectors", "GET /drift?selector=a&selector=b", "", 400, `"field":"selector"`, nil},
		{"a limit", "GET /events?limit=0", "", 400, `"field":"limit"`, nil},
		{"a limit too high", "GET /events?limit=1001", "", 400, `"field":"limit"`, nil},
		{"two limits", "GET /events?limit=1&limit=2", "", 400, `"field":"limit"`, nil},
		{"a negative number", "GET /containers/web/events?after=-1", "", 400, `"field":"after"`, nil},
		{"events of nobody", "GET /containers/new/events", "", 404, "Container not found", nil},

		{"a port and a range", "POST /network/ports", `{"ip":"0.0.0.0","port":1,"ports":"1-2"}`, 400, `"field":"ports","message":"must not be given together with port"`, nil},
		{"neither", "POST /network/ports", `{"ip":"0.0.0.0"}`, 400, `"field":"port","message":"or ports is required"`, nil},
		{"port 0", "POST /network/ports", `{"ip":"0.0.0.0","port":0}`, 400, `"field":"port"`, nil},
		{"no address", "POST /network/ports", `{"ip":"here","port":1}`, 400, `"field":"ip"`, nil},
		{"a range backwards", "POST /network/ports", `{"ip":"0.0.0.0","ports":"2-1"}`, 400, `"field":"ports"`, nil},
		{"a range too long", "POST /network/ports", `{"ip":"0.0.0.0","ports":"1-65536"}`, 400, `"field":"ports"`, nil},
		{"sctp", "POST /network/ports", `{"ip":"0.0.0.0","port":1,"protocol":"sctp"}`, 400, `"field":"protocol"`, nil},
		{"a port twice", "POST /network/ports", `{"ip":"0.0.0.0","port":25565}`, 409, "Port already exists in pool", nil},
		{"half a range taken", "POST /network/ports", `{"ip":"0.0.0.0","ports":"25560-25570"}`, 409, "Port already exists in pool", nil},
		{"a port not there", "GET /network/ports/0.0.0.0/1", "", 404, "Port not found in pool", nil},
		{"no port", "GET /network/ports/0.0.0.0/x", "", 400, `"field":"port"`, nil},
		{"no use", "PUT /network/ports/0.0.0.0/25565/use", `{}`, 400, `"field":"in_use"`, nil},
		{"a delete of a foreign port", "DELETE /network/ports/0.0.0.0/1", "", 404, "Port not found in pool", nil},
		{"a bulk with one foreign", "POST /network/ports/bulk-delete", `{"ports":[{"ip":"0.0.0.0","port":25565},{"ip":"0.0.0.0","port":1}]}`, 404, "Port not found in pool", nil},
		{"a bulk with one twice", "POST /network/ports/bulk-delete", `{"ports":[{"ip":"0.0.0.0","port":25565},{"ip":"0.0.0.0","port":25565,"protocol":"TCP"}]}`, 400, `"field":"ports[1]"`, nil},
		{"a bulk of nothing", "POST /network/ports/bulk-delete", `{"ports":[]}`, 400, `"field":"ports"`, nil},
		{"no random protocol", "GET /network/ports/random?protocol=icmp", "", 400, `"field":"protocol"`, nil},
		{"no free port", "GET /network/ports/random?protocol=udp", "", 404, "No available ports in pool", nil},

		{"a volume with a name", "POST /volumes", `{"name":"x"}`, 400, `"field":"name"`, nil},
		{"a volume not there", "GET /volumes/..", "", 404, `"error":"Volume not found"`, nil},
		{"a volume in use", "DELETE /volumes/" + n.volume, "", 409, `"message":"Volume is in use by container web"`, nil},
		{"no upgrade", "GET /ws/web", "", 426, "WebSocket", nil},
		{"a socket of nobody", "GET /ws/new", "", 404, "Container not found", nil},
	}
	before := n.dump()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			method, target, _ := strings.Cut(c.request, " ")
			a := n.send(method, target, c.body, c.header...).want(t, c.status, c.text)
			if a.json["error"] == "" || a.json["code"] == "" {
				t.Errorf("no sentence or code in %s", a.text)
			}
			if method != "GET" && !strings.Contains(target, "?") {
				if dry := n.send(method, target+"?dry_run=true", c.body, c.header...); dry.status != a.status || dry.text != a.text {
					t.Errorf("a dry run is answered %d %s, not %s", dry.status, dry.text, a.text)
				}
			}
			if after := n.dump(); after != before {
				t.Fatalf("something was written:\n%s\n%s", before, after)
			}
		})
	}
	if logged := n.logs.String(); logged != "" {
		t.Errorf("bad input was logged: %s", logged)
	}
}

// TestStreamedBody sends more than is allowed without saying how much.
func TestStreamedBody(t *testing.T) {
	n := newNode(t)
	endless := io.LimitReader(neverEnding('a'), 64<<20)
	r := harness.Value[*http.Request](t)(http.NewRequest("POST", n.url+"/containers", endless))
	r.Header.Set("Authorization", "Bearer "+masterToken)
	r.Header.Set("Content-Type", "application/json")
	response, err := n.client.Do(r)
	if err != nil {
		return // cut off while it was still sending, which is as good
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", response.StatusCode)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// TestHalfBody hangs up in the middle of a body: it is no valid one, whatever came.
func TestHalfBody(t *testing.T) {
	n := newNode(t)
	before := n.dump()
	conn := harness.Value[net.Conn](t)(net.Dial("tcp", strings.TrimPrefix(n.url, "http://")))
	defer conn.Close()
	fmt.Fprintf(conn, "POST /containers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n%s", masterToken, n.spec("web"))
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		defer response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("got %d", response.StatusCode)
		}
	}
	if n.dump() != before {
		t.Error("half a body was believed")
	}
}

func TestPanicIsOneSentence(t *testing.T) {
	n := newNode(t)
	h := n.recovering(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret detail") }))
	w := newRecorder()
	h.ServeHTTP(w, harness.Value[*http.Request](t)(http.NewRequest("GET", "/x?token=lightd_secret", nil)))
	if w.Code != 500 || strings.TrimSpace(w.Body.String()) != `{"error":"Internal error","code":"internal"}` {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if logged := n.logs.String(); strings.Count(logged, "secret detail") != 1 || strings.Contains(logged, "lightd_") {
		t.Errorf("logged %q", logged)
	}
}

func TestReady(t *testing.T) {
	n := newNode(t)
	n.send("GET", "/readyz", "", "Authorization: ").want(t, 200, "ready")
	n.engine.down.Store(true)
	a := n.send("GET", "/readyz", "", "Authorization: ").want(t, 503, "engine")
	if strings.Contains(a.text, "database") || a.header.Get("Retry-After") == "" {
		t.Errorf("got %v %s", a.header, a.text)
	}
	broken := newNode(t)
	broken.database.broken.Store(true)
	broken.send("GET", "/readyz", "", "Authorization: ").want(t, 503, "database")
	broken.send("GET", "/healthz", "", "Authorization: ").want(t, 200, "ok")
	n.send("GET", "/api/v1/public/ping", "", "Authorization: ").want(t, 200, "pong")
	hung := newNode(t)
	hung.engine.hangs.Store(true)
	hung.send("GET", "/readyz", "", "Authorization: ").want(t, 503, "engine does not answer")
}

func TestDiskFull(t *testing.T) {
	n := newNode(t)
	n.free.Store(0)
	n.send("POST", "/containers", n.spec("web")).want(t, 507, `"code":"disk_full"`)
	n.send("GET", "/containers", "").want(t, 200, `"containers":[]`)
	n.free.Store(1 << 40)
	n.create("web")
}

// TestDatabaseHangs: while no write gets through, every write is answered in time,
// reads go on, and the outcome of what was given up is told by reading.
func TestDatabaseHangs(t *testing.T) {
	n := newNode(t, func(c *config) { c.DatabaseTimeout = 50 * time.Millisecond })
	if err := n.store.Update(t.Context(), func(tx *store.Tx) error {
		spec := desired.DefaultSpec()
		spec.InternalID, spec.Image, spec.VolumeID, spec.StartupCommand = "web", "alpine:3", n.volume, "sleep 1"
		_, err := tx.CreateContainer(spec)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	before := n.dump()
	release, hanging, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- n.store.Update(context.Background(), func(*store.Tx) error {
			close(hanging)
			<-release
			return nil
		})
	}()
	<-hanging
	for _, request := range []string{
		"POST /containers", "PUT /containers/web", "PATCH /containers/web", "DELETE /containers/web", "POST /containers/web/start",
		"POST /network/ports", "DELETE /network/ports/0.0.0.0/25565", "POST /volumes", "POST /auth/tokens",
	} {
		method, target, _ := strings.Cut(request, " ")
		body := map[string]string{
			"POST /containers": n.spec("new"), "PUT /containers/web": n.spec("web"), "PATCH /containers/web": `{"tty":false}`,
			"POST /network/ports": `{"ip":"0.0.0.0","port":1}`, "POST /auth/tokens": `{"ttl":"1h"}`,
		}[request]
		a := n.send(method, target, body).want(t, 503, `"code":"database_unavailable"`)
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", request)
		}
	}
	n.send("GET", "/containers/web", "").want(t, 200, `"generation":1`)
	n.send("GET", "/readyz", "").want(t, 503, "database")
	n.send("GET", "/network/ports", "").want(t, 200, "25565")
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := n.store.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := n.dump(); after != before {
		t.Errorf("writes that were given up before they began happened:\n%s\n%s", before, after)
	}
	if logged := n.logs.String(); !strings.Contains(logged, "could not be served") {
		t.Errorf("the log does not tell: %s", logged)
	}
}
