package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"lightd/controller/plan"
	"lightd/desired/token"
	"lightd/hack/harness"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// token makes a token as a body asks for it, and returns the header that brings it.
func (n *testServer) token(body string) (header string) {
	n.t.Helper()
	if !strings.Contains(body, `"ttl"`) {
		body = strings.Replace(body, "{", `{"ttl":"1h",`, 1)
	}
	return "Authorization: Bearer " + n.send("POST", "/auth/tokens", body).want(n.t, 201, "").json["token"].(string)
}

// scoped makes a token with these scopes.
func (n *testServer) scoped(scopes ...string) (header string) {
	n.t.Helper()
	list := harness.Value[[]byte](n.t)(json.Marshal(scopes))
	return n.token(fmt.Sprintf(`{"scopes":%s}`, list))
}

// sufficient are the scopes that a token may have alone for a route that needs one.
var sufficient = map[token.Scope][]string{
	"read": {"read", "write", "admin"}, "console": {"console", "admin"}, "power": {"power", "write", "admin"},
	"write": {"write", "admin"}, "files": {"files", "admin"}, "admin": {"admin"},
}

// TestEveryRouteNeedsItsScope walks the router: without a token each route is 401, and with each scope
// alone it is let in or refused exactly as the table says.
func TestEveryRouteNeedsItsScope(t *testing.T) {
	n := newNode(t)
	table := map[string]route{}
	for _, r := range n.routes() {
		table[r.method+" "+r.path] = r
	}
	headers := map[string]string{}
	for _, scope := range token.AllScopes {
		headers[string(scope)] = n.scoped(string(scope))
	}
	walked := n.router().(*gin.Engine).Routes()
	if len(walked) != len(table) {
		t.Errorf("the router has %d routes, the table %d", len(walked), len(table))
	}
	for _, w := range walked {
		r, known := table[w.Method+" "+w.Path]
		target := strings.NewReplacer(":id", "nobody", ":name", "nobody", ":ip", "0.0.0.0", ":port", "1").Replace(w.Path)
		switch {
		case !known:
			t.Errorf("%s %s is not in the table", w.Method, w.Path)
		case strings.HasSuffix(w.Path, "/:token"):
			n.send(w.Method, target, "", "Authorization: ").want(t, 404, "link_not_found")
			continue
		case r.access.public():
			n.send(w.Method, target, "", "Authorization: ").want(t, 200, "{")
			continue
		}
		n.send(w.Method, target, "{}", "Authorization: ").want(t, 401, "Unauthorized")
		for scope, header := range headers {
			a := n.send(w.Method, target, "{}", header)
			if refused := a.status == http.StatusForbidden; refused == (slices.Contains(sufficient[r.access.scope], scope) && !r.access.master) || a.status == 401 {
				t.Errorf("%s %s with the scope %s: %d %s", w.Method, w.Path, scope, a.status, a.text)
			} else if refused && !r.access.master && !strings.Contains(a.header.Get("WWW-Authenticate"), fmt.Sprintf(`error="insufficient_scope", scope=%q`, r.access.scope)) {
				t.Errorf("%s %s: %v", w.Method, w.Path, a.header)
			}
		}
	}
}

// TestScopesAreDescribed: the OpenAPI document and the reference say of each route what the table does.
func TestScopesAreDescribed(t *testing.T) {
	n := newNode(t)
	paths := n.send("GET", "/openapi.json", "", "Authorization: ").want(t, 200, "").json["paths"].(map[string]any)
	reference := ScopesDoc()
	for _, r := range n.routes() {
		template := templateOf(r.path)
		operation := paths[template].(map[string]any)[strings.ToLower(r.method)].(map[string]any)
		want := "[]"
		if !r.access.public() {
			want = fmt.Sprintf(`[{"bearer":[%q]}]`, r.access.scope)
		}
		if got := string(harness.Value[[]byte](t)(json.Marshal(operation["security"]))); got != want {
			t.Errorf("%s %s: security is %s, want %s", r.method, r.path, got, want)
		}
		if line := fmt.Sprintf("%-6s %-38s %s\n", r.method, r.path, r.access); !strings.Contains(reference, line) {
			t.Errorf("the reference lacks %q", line)
		}
	}
}

// TestMessagesNeedTheirScope: a WebSocket does what the token may do that it goes by now.
func TestMessagesNeedTheirScope(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	secret := func(header string) string { return strings.TrimPrefix(header, "Authorization: Bearer ") }
	open := func(target, header string) *peer {
		conn, _, err := n.dial(target+"?token="+secret(header), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		return &peer{t, conn}
	}
	p := open("/ws/web", n.scoped("console"))
	p.want("event installed")
	p.send(`{"event":"power","action":"start"}`)
	p.want("daemon_message Error: The token lacks the scope power")
	p.send(fmt.Sprintf(`{"event":"auth","token":%q}`, secret(n.scoped("power"))))
	p.want("daemon_message Error: The token lacks the scope console")
	p.send(`{"event":"send_command","command":"hi"}`)
	p.send(fmt.Sprintf(`{"event":"auth","token":%q}`, secret(n.scoped("console", "power"))))
	p.want("daemon_message Token accepted")
	p.send(`{"event":"power","action":"start"}`)
	p.send(fmt.Sprintf(`{"event":"auth","token":%q}`, secret(n.scoped("console"))))
	p.want("daemon_message Token accepted")
	if c, _ := n.store.Container("web"); c.Power != "running" {
		t.Error("it was not started")
	}
	p.send(`{"event":"power","action":"stop"}`)
	p.want("daemon_message Error: The token lacks the scope power")
	all := open("/ws", n.scoped("read"))
	all.want("event web installed")
	all.send(fmt.Sprintf(`{"event":"auth","token":%q}`, secret(n.scoped("console"))))
	all.want("daemon_message Error: The token lacks the scope read")
}

// TestEnvIsForWriters: who may not write sees the names of the environment, wherever a container is shown,
// and cannot write back what was hidden.
func TestEnvIsForWriters(t *testing.T) {
	n := newNode(t)
	n.send("POST", "/containers", strings.Replace(n.spec("web"), "{", `{"env":{"PASSWORD":"s3cret","EMPTY":""},`, 1)).want(t, 201, "")
	n.create("bare")
	n.installed("web")
	reader, writer := n.scoped("read", "power"), n.scoped("write")
	n.drifts.fields = map[string][]plan.Field{"web": {{Path: "env.PASSWORD", Desired: "s3cret", Observed: drift.Hidden, Kind: drift.Spec}}}
	for _, target := range []string{"/containers/web/drift", "/drift"} {
		n.send("GET", target, "", reader).want(t, 200, `"path":"env.PASSWORD","desired":"(hidden)"`)
		n.send("GET", target, "", writer).want(t, 200, `"path":"env.PASSWORD","desired":"s3cret"`)
	}
	for _, target := range []string{"/containers/web", "/containers?view=full", "/containers", "/containers/web/plan", "/containers/web/drift", "/drift"} {
		if a := n.send("GET", target, "", reader).want(t, 200, ""); strings.Contains(a.text, "s3cret") {
			t.Errorf("%s shows %s", target, a.text)
		}
	}
	for _, target := range []string{"/containers/web", "/containers?view=full"} {
		n.send("GET", target, "", reader).want(t, 200, `"env":{"EMPTY":"","PASSWORD":""},"env_hidden":true`)
		a := n.send("GET", target, "", writer).want(t, 200, `"PASSWORD":"s3cret"`)
		if strings.Contains(a.text, "env_hidden") {
			t.Errorf("%s is marked as hidden: %s", target, a.text)
		}
	}
	if a := n.send("GET", "/containers/bare", "", reader).want(t, 200, ""); strings.Contains(a.text, "env_hidden") {
		t.Errorf("nothing was hidden: %s", a.text)
	}
	dry := n.send("POST", "/containers/web/start?dry_run=true", "", reader).want(t, 200, `"plan"`)
	if strings.Contains(dry.text, "s3cret") {
		t.Errorf("a dry run shows %s", dry.text)
	}
	n.send("POST", "/containers/web/start?dry_run=true", "", writer).want(t, 200, "s3cret")

	read := n.send("GET", "/containers/web", "", reader).text
	n.send("PUT", "/containers/web", read, writer).want(t, 400, `"field":"env_hidden"`)
	n.send("PUT", "/containers/web", n.send("GET", "/containers/web", "", writer).text, writer).want(t, 200, `"generation":1`)

	hidden, shown := n.watch("&selector=", reader), n.watch("", writer)
	for _, id := range []string{"bare", "web"} {
		if e := hidden.event(); e.Container.Env["PASSWORD"] != "" || e.Container.EnvHidden != (len(e.Container.Env) > 0) {
			t.Errorf("a watch shows %s: %+v", id, e.Container)
		}
		if e := shown.event(); e.Container.EnvHidden || e.Container.InternalID == "web" && e.Container.Env["PASSWORD"] != "s3cret" {
			t.Errorf("a watch hides %+v", e.Container)
		}
	}
}

// TestOutputIsForTheConsole: the last output of a wait that failed is for who may see output.
func TestOutputIsForTheConsole(t *testing.T) {
	n := newNode(t)
	for _, id := range []string{"web", "other"} {
		n.create(id)
		n.record(id, func(st *status.Status) {
			st.InstallState = status.Failed
			st.Install = status.Install{Request: 1, Phase: status.InstallFailed}
		})
	}
	patch := func(scopes ...string) string {
		a := n.send("PATCH", "/containers/web?wait=running", fmt.Sprintf(`{"power":"running","labels":{"of":%q}}`, strings.Join(scopes, " ")), n.scoped(scopes...))
		return a.want(t, 202, `"wait"`).text
	}
	if text := patch("write"); strings.Contains(text, "last output") {
		t.Errorf("without the scope console: %s", text)
	}
	if text := patch("write", "console"); !strings.Contains(text, "last output: installed") {
		t.Errorf("with the scope console: %s", text)
	}
}
