package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/httpapi/auth"
)

// accessLine is a line of the log about a write.
type accessLine struct {
	Level, Msg, Token, Remote, Method, Route, Path, Container, Action string
	RequestID                                                         string `json:"request_id"`
	TokenName                                                         string `json:"token_name"`
	Generation                                                        int64
}

// accessLog keeps the log of a node as JSON.
func accessLog(n **testServer) (lines func(msg string) []accessLine, tune func(*config)) {
	var log harness.Buffer
	lines = func(msg string) (found []accessLine) {
		for line := range bytes.Lines([]byte(log.String())) {
			var l accessLine
			if err := json.Unmarshal(line, &l); err != nil {
				(*n).t.Fatalf("%q: %v", line, err)
			}
			if l.Msg == msg {
				found = append(found, l)
			}
		}
		return found
	}
	return lines, func(cfg *config) {
		cfg.log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
}

// TestAcceptedWritesAreLogged: each write that was accepted has one line that says who asked for
// what; a read, a dry run, a refusal, and what was so already, have none.
func TestAcceptedWritesAreLogged(t *testing.T) {
	var n *testServer
	lines, tune := accessLog(&n)
	n = newNode(t, tune)
	made := n.send("POST", "/auth/tokens", `{"ttl":"1h","name":"panel 1"}`).want(t, 201, "")
	temporary, id := made.json["token"].(string), made.json["id"].(string)
	n.send("POST", "/containers", n.spec("web"), "X-Request-Id: from-the-panel.1").want(t, 201, "")
	n.installed("web")
	n.send("POST", "/containers/web/start", "", "Authorization: Bearer "+temporary, "X-Forwarded-For: 6.6.6.6").want(t, 200, "")
	n.send("PATCH", "/containers/web", `{}`).want(t, 200, "")
	n.send("PATCH", "/containers/web", `{"memory":1}`).want(t, 400, "")
	n.send("PATCH", "/containers/web?dry_run=true", `{"env":{"A":"b"}}`).want(t, 200, "")
	n.send("GET", "/containers/web", "").want(t, 200, "")
	n.send("POST", "/apply", fmt.Sprintf(`{"containers":[%s,%s]}`, strings.Replace(n.spec("web"), "{", `{"env":{"C":"d"},`, 1), n.spec("two"))).want(t, 200, "")
	n.send("POST", "/volumes?dry_run=true", "").want(t, 200, "")
	n.send("POST", "/volumes", "").want(t, 201, "")
	n.send("DELETE", "/containers/two?timeout=1ms", "").want(t, 202, "")
	ws := n.connect("/ws/web")
	if err := ws.conn.Write(t.Context(), websocket.MessageText, []byte(`{"event":"power","action":"restart"}`)); err != nil {
		t.Fatal(err)
	}
	var got []accessLine
	eventually.Poll(t, func() error {
		if got = lines("write accepted"); len(got) < 8 {
			return fmt.Errorf("%d lines: %+v", len(got), got)
		}
		return nil
	})
	want := []string{
		"POST /auth/tokens master 0",
		"POST /containers master web created 1",
		"POST /containers/:id/start panel web updated 2",
		"POST /apply master web updated 3",
		"POST /apply master two created 1",
		"POST /volumes master 0",
		"DELETE /containers/:id master two deleted 2",
		"WEBSOCKET restart master web updated 4",
	}
	for i, l := range got {
		who := strings.ReplaceAll(l.Token, id, "panel")
		line := strings.Join(strings.Fields(fmt.Sprint(l.Method, " ", l.Route, " ", who, " ", l.Container, " ", l.Action, " ", l.Generation)), " ")
		if i >= len(want) || line != want[i] {
			t.Errorf("line %d is %q, want %q", i, line, want[min(i, len(want)-1)])
		}
		if !strings.HasPrefix(l.Remote, "127.0.0.1:") || l.RequestID == "" || l.Level != "INFO" {
			t.Errorf("line %d: %+v", i, l)
		}
	}
	if got[1].RequestID != "from-the-panel.1" || got[3].RequestID != got[4].RequestID || got[2].RequestID == got[1].RequestID {
		t.Errorf("request ids of %+v", got)
	}
	if text := fmt.Sprint(got); strings.Contains(text, temporary) || got[2].Token != id || got[2].TokenName != "panel 1" || got[1].TokenName != "" {
		t.Errorf("tokens in %s", text)
	}
}

// TestRequestID: every answer has one, of an error and of a stranger too; the client's own where
// nothing in it could be mistaken for more than a name.
func TestRequestID(t *testing.T) {
	n := newNode(t)
	made := regexp.MustCompile(`^[0-9a-f]{16}$`)
	seen := map[string]bool{}
	for _, path := range []string{"/containers", "/containers/nope", "/nowhere", "/healthz", "/events"} {
		id := n.send("GET", path, "", "Authorization: ").header.Get(auth.HeaderRequestID)
		if !made.MatchString(id) || seen[id] {
			t.Errorf("%s: id %q", path, id)
		}
		seen[id] = true
	}
	for given, taken := range map[string]bool{
		"1f0c9a6e-52b7-4b7a-9d7e-0b8f6a3d1c2e": true, "a": true, strings.Repeat("a", 128): true, "svc/req=1:2@h": true,
		strings.Repeat("a", 129): false, "a b": false, `a"b`: false, "ü": false, "-a": false, "a level=ERROR": false,
	} {
		if got := n.send("GET", "/containers", "", "X-Request-Id: "+given).header.Get(auth.HeaderRequestID); (got == given) != taken {
			t.Errorf("%q became %q", given, got)
		}
	}
	r := harness.Value[*http.Request](t)(http.NewRequest("GET", n.url+"/healthz", nil))
	r.Header[auth.HeaderRequestID] = []string{"a", "b"}
	if got := n.do(r).header.Get(auth.HeaderRequestID); !made.MatchString(got) {
		t.Errorf("of two ids one is taken: %q", got)
	}
}
