package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/httpapi/audit"
	"lightd/observed/status"
)

// auditedNode is a testServer with an audit.
type auditedNode struct {
	*testServer
	dir string
	log *audit.Log
	// seen is how many lines were returned by lines.
	seen int
}

func newAudited(t *testing.T, consoleInput bool, tune ...func(*config)) *auditedNode {
	t.Helper()
	n := &auditedNode{dir: t.TempDir()}
	n.testServer = newNode(t, append(tune, func(c *config) {
		n.log = audit.Open(audit.Config{
			Output: audit.ToFile, DataDir: n.dir, ConsoleInput: consoleInput, Log: c.log,
			Limits: audit.Limits{MaxSize: 1 << 20, MaxAge: time.Hour, MaxFiles: 10},
		})
		t.Cleanup(func() { _ = n.log.Close() })
		c.Audit = n.log
	})...)
	return n
}

// lines are those since the last call.
func (n *auditedNode) lines() (fresh []audit.Line) {
	n.t.Helper()
	i := 0
	err := audit.Read(n.t.Context(), n.dir, false, func(e audit.Entry) error {
		if e.Err != nil {
			n.t.Errorf("%s: %v", e.Raw, e.Err)
		}
		if i++; i > n.seen {
			fresh = append(fresh, e.Line)
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.seen = i
	return fresh
}

// plainTransport has answers to what no document describes pass.
func (n *auditedNode) plainTransport() {
	transport := &http.Transport{}
	n.t.Cleanup(transport.CloseIdleConnections)
	n.client.Transport = transport
}

// one is the line since the last call.
func (n *auditedNode) one(what string) audit.Line {
	n.t.Helper()
	lines := n.lines()
	if len(lines) != 1 {
		n.t.Fatalf("%s: %d lines: %+v", what, len(lines), lines)
	}
	return lines[0]
}

// TestEveryWriteLeavesOneLine walks the table of routes: a write, its refusal and its dry run leave one line
// each, which is there when the answer is; a read leaves none.
func TestEveryWriteLeavesOneLine(t *testing.T) {
	n := newAudited(t, false)
	n.create("web")
	reader := n.scoped("read")
	n.lines()
	writes := 0
	for _, r := range n.routes() {
		if isSocket(r.path) || strings.HasSuffix(r.path, "/:token") { // links are in TestFileLinks
			continue
		}
		for _, query := range []string{"", "?dry_run=true"} {
			a := n.send(r.method, path(r.path)+query, "{}")
			if r.method == http.MethodGet {
				if got := n.lines(); len(got) != 0 {
					t.Errorf("GET %s leaves %+v", r.path, got)
				}
				continue
			}
			writes++
			l := n.one(r.method + " " + r.path)
			code, _ := a.json["code"].(string)
			if l.Event != audit.EventWrite || l.Method != r.method || l.Route != r.path || l.Status != a.status || l.Code != code || l.RequestID != a.header.Get("X-Request-Id") ||
				l.Token != "master" || l.Remote != "127.0.0.1" || l.DryRun != (query != "") || l.Duration <= 0 || time.Since(l.Time) > time.Minute {
				t.Errorf("%s %s%s is answered with %d %s, and leaves %+v", r.method, r.path, query, a.status, a.text, l)
			}
			if strings.HasPrefix(r.path, "/containers/:id") && l.Container != "web" || strings.HasSuffix(r.path, "/:ip/:port") && l.Port != "0.0.0.0:25565/tcp" {
				t.Errorf("%s %s leaves %+v", r.method, r.path, l)
			}
		}
		if r.method != http.MethodGet {
			a := n.send(r.method, path(r.path), "{}", reader).want(t, 403, "scope")
			if l := n.one(r.path); l.Status != 403 || l.Code != "insufficient_scope" || l.RequestID != a.header.Get("X-Request-Id") || len(l.Token) != 16 {
				t.Errorf("%s %s without the scope leaves %+v", r.method, r.path, l)
			}
		}
	}
	if writes < 30 {
		t.Errorf("only %d writes", writes)
	}
	n.send("POST", "/nowhere", "{}").want(t, 404, "")
	if l := n.one("no route"); l.Route != "" || l.Status != 404 || l.Code != "not_found" {
		t.Errorf("no route leaves %+v", l)
	}
}

// TestLineOfAWrite: what a line has of each kind of write.
func TestLineOfAWrite(t *testing.T) {
	n := newAudited(t, false)
	change := func(what string, want ...audit.Change) {
		t.Helper()
		if got := n.one(what).Changes; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	n.lines()
	n.create("web")
	change("create", audit.Change{Container: "web", Action: "created", Generation: 1})
	n.send("POST", "/containers", n.spec("web")).want(t, 409, "")
	if l := n.one("again"); l.Container != "web" || l.Code != "container_exists" || l.Changes != nil {
		t.Errorf("%+v", l)
	}
	n.send("PATCH", "/containers/web?dry_run=true", `{"labels":{"a":"b"}}`).want(t, 200, "")
	change("dry run", audit.Change{Container: "web", Action: "updated", Before: 1, Generation: 2})
	n.send("PATCH", "/containers/web", `{"labels":{"a":"b"}}`).want(t, 200, "")
	change("patch", audit.Change{Container: "web", Action: "updated", Before: 1, Generation: 2})
	n.send("PATCH", "/containers/web", `{"labels":{"a":"b"}}`).want(t, 200, "")
	change("nothing")
	n.send("POST", "/apply", fmt.Sprintf(`{"containers":[%s,%s],"prune":true,"selector":"a=b"}`, n.spec("one"), n.spec("two"))).want(t, 200, "")
	change("apply", audit.Change{Container: "one", Action: "created", Generation: 1}, audit.Change{Container: "two", Action: "created", Generation: 1},
		audit.Change{Container: "web", Action: "deleted", Before: 2, Generation: 3})
	volume := n.send("POST", "/volumes", "").want(t, 201, "").json["volume_id"].(string)
	if l := n.one("volume"); l.Volume != volume {
		t.Errorf("%+v", l)
	}
	n.send("DELETE", "/volumes/"+volume, "").want(t, 200, "")
	if l := n.one("volume"); l.Volume != volume || l.Route != "/volumes/:id" {
		t.Errorf("%+v", l)
	}
	n.send("POST", "/network/ports", `{"ip":"0.0.0.0","ports":"4000-4009","protocol":"udp"}`).want(t, 201, "")
	if l := n.one("ports"); l.Port != "0.0.0.0:4000/udp" || l.Ports != 10 {
		t.Errorf("%+v", l)
	}
	made := n.send("POST", "/auth/tokens", `{"ttl":"1h","name":"billing"}`).want(t, 201, "")
	l := n.one("token")
	if l.MadeToken == "" || made.header.Get("Location") != "/auth/tokens/"+l.MadeToken {
		t.Errorf("%+v", l)
	}
	n.send("POST", "/containers/one/start", "", "Authorization: Bearer "+made.json["token"].(string)).want(t, 200, "")
	if by := n.one("start"); by.Token != l.MadeToken || by.TokenName != "billing" || by.Route != "/containers/:id/start" {
		t.Errorf("%+v", by)
	}
	n.send("GET", "/containers/one/plan", "", "Authorization: Bearer lightd_0123456789abcdefghij").want(t, 401, "")
	if by := n.one("guess"); by.Token != "" || by.TokenName != "" || by.Route != "/containers/:id/plan" {
		t.Errorf("%+v", by)
	}
	n.send("DELETE", "/auth/tokens/"+l.MadeToken, "").want(t, 200, "")
	if revoked := n.one("revocation"); revoked.MadeToken != l.MadeToken || revoked.Method != "DELETE" {
		t.Errorf("%+v", revoked)
	}
}

// TestEndedTokenIsNamed: a request with a token that has ended names it while there is a record of it, and the
// answer says no more than to any other.
func TestEndedTokenIsNamed(t *testing.T) {
	n := newAudited(t, false)
	made := n.send("POST", "/auth/tokens", `{"ttl":"1h","name":"panel","single_use":true}`).want(t, 201, "").json
	with := "Authorization: Bearer " + made["token"].(string)
	n.send("GET", "/events", "", with).want(t, 200, "")
	n.lines()
	n.send("GET", "/network/ports/127.0.0.1/80", "", with).want(t, 401, "has a token that is unknown or has ended")
	if l := n.one("an ended token"); l.Event != audit.EventDenied || l.Token != made["id"] || l.TokenName != "panel" || l.Route != "/network/ports/:ip/:port" || l.Method != "GET" {
		t.Errorf("%+v", l)
	}
}

// TestFailedAuthenticationIsCounted: each failure is in the audit, and a flood of them takes few lines.
func TestFailedAuthenticationIsCounted(t *testing.T) {
	n := newAudited(t, false)
	n.plainTransport()
	n.lines()
	const flood = 300
	for i := range flood {
		method, target := "GET", "/containers"
		if i%2 == 1 {
			method, target = "POST", "/nowhere/"+strings.Repeat("x", i)
		}
		if a := n.send(method, target, "", fmt.Sprintf("Authorization: Bearer lightd_guess_%020d", i)); a.status != 401 && a.status != 429 {
			t.Fatalf("got %d %s", a.status, a.text)
		}
	}
	n.send("GET", "/healthz", "", "Authorization: ").want(t, 200, "")
	var lines []audit.Line
	total := 0
	eventually.Poll(t, func() error {
		for _, l := range n.lines() {
			lines, total = append(lines, l), total+max(1, l.Count)
		}
		if total < flood {
			return fmt.Errorf("%d of %d are counted", total, flood)
		}
		return nil
	})
	for _, l := range lines {
		if l.Event != audit.EventDenied || l.Token != "" || l.Remote != "127.0.0.1" || l.Status != 401 && l.Status != 429 || l.Code == "" {
			t.Errorf("%+v", l)
		}
	}
	if first := lines[0]; total != flood || len(lines) > 10 || first.Count != 0 || first.Code != "unauthorized" {
		t.Errorf("%d failures in %d lines: %+v", total, len(lines), lines)
	}
	// A read that a token may not do is of its own source.
	n.send("GET", "/auth/tokens", "", n.scoped("read")).want(t, 403, "")
	for _, l := range n.lines() {
		if l.Event == audit.EventDenied && l.Token != "" && l.Code == "insufficient_scope" && l.Route == "/auth/tokens" && l.Method == "GET" {
			return
		}
	}
	t.Error("a read without the scope leaves no line")
}

// TestSocketIsAudited: what a client of a WebSocket does is in the audit: that there was input, and how much
// of it, and each power action.
func TestSocketIsAudited(t *testing.T) {
	for _, withText := range []bool{false, true} {
		n := newAudited(t, withText)
		n.create("web")
		n.installed("web")
		n.lines()
		p := n.connect("/ws/web")
		p.want("event installed")
		for _, command := range []string{"hello", "say canary", "stop"} {
			p.send(fmt.Sprintf(`{"event":"send_command","command":%q}`, command))
		}
		p.send(`{"event":"power","action":"start"}`)
		p.send(`{"event":"power","action":"explode"}`)
		p.want("daemon_message Error: action must be start, stop, kill or restart")
		p.send(`{"event":"auth","token":"lightd_wrong_0123456789"}`)
		p.want("daemon_message Error: Unauthorized")
		p.send(fmt.Sprintf(`{"event":"auth","token":%q}`, strings.TrimPrefix(n.scoped("console"), "Authorization: Bearer ")))
		p.want("daemon_message Token accepted")
		p.send(`{"event":"power","action":"kill"}`)
		p.want("daemon_message Error: The token lacks the scope power")
		var lines []audit.Line
		var bytes int64
		texts := ""
		eventually.Poll(t, func() error {
			for _, l := range n.lines() {
				if l.Event == audit.EventInput {
					bytes, texts = bytes+l.Bytes, texts+l.Text+";"
				}
				lines = append(lines, l)
			}
			if bytes != 19 {
				return fmt.Errorf("%d bytes of input", bytes)
			}
			return nil
		})
		if want := map[bool]string{true: "hello;say canary;stop;"}[withText]; withText && texts != want || !withText && strings.Trim(texts, ";") != "" {
			t.Errorf("the text is %q", texts)
		}
		found := map[string]audit.Line{}
		for _, l := range lines {
			found[fmt.Sprint(l.Event, " ", l.Action, " ", l.Code)] = l
			if l.Event != audit.EventWrite && (l.Container != "web" || l.Method != audit.MethodSocket || l.Route != "/ws/:id" || l.RequestID == "" || l.Remote != "127.0.0.1") {
				t.Errorf("%+v", l)
			}
		}
		start := found["power start "]
		if len(start.Changes) != 1 || start.Changes[0].Generation != 2 || start.Token != "master" {
			t.Errorf("start: %+v", start)
		}
		for _, want := range []string{"input send_command ", "power  invalid", "denied auth unauthorized", "denied kill insufficient_scope"} {
			if _, there := found[want]; !there {
				t.Errorf("no line %q of %+v", want, found)
			}
		}
		if l := found["denied kill insufficient_scope"]; len(l.Token) != 16 || len(l.Changes) != 0 {
			t.Errorf("the line of a token that came later: %+v", l)
		}
	}
}

// TestAuditHasNoSecret: a canary in whatever a client sends is in no file of the audit.
func TestAuditHasNoSecret(t *testing.T) {
	const canary = "c4n4ryc4n4ry"
	n := newAudited(t, false)
	n.plainTransport()
	spec := func(id string) string {
		return strings.Replace(n.spec(id), "{", fmt.Sprintf(`{"env":{"A":%[1]q},"install_script":"#%[1]s","labels":{"a":%[1]q},"start_pattern":%[1]q,`, canary), 1)
	}
	n.send("POST", "/containers", spec("web")).want(t, 201, "")
	n.installed("web")
	n.send("PUT", "/containers/web?dry_run=true", spec("web")).want(t, 200, "")
	n.send("POST", "/apply", fmt.Sprintf(`{"containers":[%s]}`, spec("web"))).want(t, 200, "")
	n.send("POST", "/containers/web/reinstall", fmt.Sprintf(`{"install_script":%q}`, canary)).want(t, 200, "")
	for _, body := range []string{`{"` + canary + `":1}`, canary, strings.Replace(n.spec("X "+canary), "{", `{"env":{"A B":"`+canary+`"},`, 1)} {
		for _, r := range n.routes() {
			if r.method != http.MethodGet {
				n.send(r.method, path(r.path), body, "User-Agent: "+canary, "Cookie: "+canary, "Referer: "+canary, "X-Forwarded-For: "+canary, "X-Forwarded-For: 192.0.2.1, "+canary)
			}
		}
	}
	n.send("POST", "/network/ports", fmt.Sprintf(`{"ip":%q,"port":1}`, canary))
	n.send("POST", "/network/ports/bulk-delete", fmt.Sprintf(`{"ports":[{"ip":%[1]q,"port":1,"protocol":%[1]q}]}`, canary))
	for _, target := range []string{"/containers?" + canary + "=1", "/containers/" + masterToken, "/ws/" + masterToken, "/containers/A%20" + canary, "/volumes/A%20" + canary, "/" + canary, "/network/ports/" + canary + "/1", "/containers?token=lightd_" + canary} {
		for _, header := range []string{"X: y", "Authorization: Bearer lightd_" + canary, "Authorization: " + canary, "Sec-WebSocket-Protocol: bearer.lightd_" + canary} {
			for _, method := range []string{"GET", "POST", "DELETE", "PUT", strings.ToUpper(canary)} {
				n.send(method, target, "", header)
			}
		}
	}
	_, _, _ = n.dial("/ws/web?token=lightd_"+canary, nil)
	p := n.connect("/ws/web")
	p.want("event installing")
	for _, m := range []string{`{"event":"send_command","command":"%s"}`, `{"event":"auth","token":"lightd_%s"}`, `{"event":"power","action":"%s"}`, `{"event":"%s"}`, `%s`} {
		p.send(fmt.Sprintf(m, canary))
	}
	made := n.token(`{"name":"made"}`)
	eventually.Poll(t, func() error {
		for _, l := range n.lines() {
			if l.Event == audit.EventPower {
				return nil
			}
		}
		return fmt.Errorf("the messages are not handled yet")
	})
	if err := n.log.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(n.dir, audit.Dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		text := strings.ToLower(string(harness.Value[[]byte](t)(os.ReadFile(f))))
		for _, secret := range []string{canary, masterToken, strings.ToLower(strings.TrimPrefix(made, "Authorization: Bearer "))} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s is in the audit: %.300s", secret, text[max(0, at-200):])
			}
		}
	}
}

// TestLinesAreWrittenBeforeTheAnswer: an answer that is longer than the server's buffers is not even begun
// before its line is there.
func TestLinesAreWrittenBeforeTheAnswer(t *testing.T) {
	n := newAudited(t, false)
	var specs []string
	for i := range 200 {
		specs = append(specs, n.spec(fmt.Sprint("c", i)))
	}
	n.lines()
	w := &firstWrite{ResponseRecorder: newRecorder(), first: func() {
		if l := n.one("apply"); len(l.Changes) != 200 || l.Status != 200 {
			t.Errorf("%+v", l)
		}
	}}
	r := harness.Value[*http.Request](t)(http.NewRequest("POST", "http://127.0.0.1/apply", strings.NewReader(`{"containers":[`+strings.Join(specs, ",")+`]}`)))
	r.Header.Set("Authorization", "Bearer "+masterToken)
	r.Header.Set("Content-Type", "application/json")
	r.Host, r.RequestURI, r.RemoteAddr = "", "/apply", "127.0.0.1:1"
	n.Handler().ServeHTTP(w, r)
	if w.first != nil || w.Code != 200 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// firstWrite calls first before its header is written.
type firstWrite struct {
	*httptest.ResponseRecorder
	first func()
}

func (w *firstWrite) WriteHeader(status int) {
	if w.first != nil {
		w.first()
		w.first = nil
	}
	w.ResponseRecorder.WriteHeader(status)
}

// TestReadyzSaysThatLinesAreLost, and writes go on.
func TestReadyzSaysThatLinesAreLost(t *testing.T) {
	n := newAudited(t, false)
	n.record("web", func(st *status.Status) {})
	if err := os.RemoveAll(n.dir); err != nil {
		t.Fatal(err)
	}
	n.create("web")
	n.send("GET", "/readyz", "").want(t, 200, `"field":"audit"`)
	if logged := n.logs.String(); !strings.Contains(logged, "audit lines are lost") {
		t.Errorf("logged: %s", logged)
	}
}
