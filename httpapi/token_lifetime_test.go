package httpapi

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/eventually"
	"lightd/hack/harness"
)

// TestRevocationClosesConnections: sockets, watches, logs and waits end with the token, at once or with the
// next check.
func TestRevocationClosesConnections(t *testing.T) {
	n := newTenants(t)
	made := n.send("POST", "/auth/tokens", `{"ttl":"1h","single_use":false}`).want(t, 201, "")
	secret := made.json["token"].(string)
	header := "Authorization: Bearer " + secret
	conn, _, err := n.dial("/ws/mine?token="+secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	p := &peer{t, conn}
	p.want("event installed")
	w := n.watch("", header)
	r := harness.Value[*http.Request](t)(http.NewRequest("GET", n.url+"/containers/mine/logs?follow=true", nil))
	r.Header.Set("Authorization", "Bearer "+secret)
	logs := harness.Value[*http.Response](t)(n.client.Do(r))
	defer logs.Body.Close()
	waiting := n.sending("PATCH", "/containers/mine?wait=synced&timeout=10m", `{"tty":false}`, header)
	eventually.Poll(t, func() error {
		if c, _ := n.store.Container("mine"); c.TTY {
			return errors.New("it is not written yet")
		}
		return nil
	})
	n.send("DELETE", "/auth/tokens/"+made.json["id"].(string), "").want(t, 200, "")
	n.send("GET", "/containers", "", header).want(t, 401, "")
	p.want("closed 1008 token is no longer valid")
	for w.lines.Scan() {
	}
	for text := bufio.NewScanner(logs.Body); text.Scan(); {
	}
	if end := logs.Trailer.Get("Lightd-End"); end != "token is no longer valid" {
		t.Errorf("the log has ended with %q", end)
	}
	(<-waiting).want(t, 401, "Unauthorized")
}

// TestRefusedRequestKeepsSingleUseToken: a request that is refused, for whatever reason, does not use up a
// token, and one that was carried out does.
func TestRefusedRequestKeepsSingleUseToken(t *testing.T) {
	n := newTenants(t)
	for _, c := range []struct {
		scopes, refused, body string
		status                int
		good, goodBody        string
	}{
		{"read", "POST /containers/mine/start", "", 403, "GET /containers/mine", ""},
		{"read", "GET /containers/nobody", "", 404, "GET /containers/mine", ""},
		{"read", "GET /nowhere", "", 404, "GET /containers", ""},
		{"read", "GET /containers?limit=0", "", 400, "GET /containers", ""},
		{"write", "PATCH /containers/mine", `{"image":"-v"}`, 400, "PATCH /containers/mine", `{"tty":false}`},
		{"write", "POST /containers", n.spec("mine"), 409, "DELETE /volumes/" + n.volume + "?dry_run=false", ""},
		{"console", "GET /ws/mine", "", 426, "GET /containers/mine/logs", ""},
		{"admin", "POST /auth/tokens", `{"ttl":"9h"}`, 400, "POST /auth/tokens", `{"ttl":"1m"}`},
	} {
		once := n.token(fmt.Sprintf(`{"ttl":"1h","scopes":[%q],"single_use":true}`, c.scopes))
		method, target, _ := strings.Cut(c.refused, " ")
		for range 2 {
			n.send(method, target, c.body, once).want(t, c.status, "")
		}
		if strings.HasPrefix(c.good, "DELETE") {
			continue
		}
		method, target, _ = strings.Cut(c.good, " ")
		if a := n.send(method, target, c.goodBody, once); a.status >= 300 {
			t.Errorf("%s after %s: %d %s", c.good, c.refused, a.status, a.text)
		}
		n.send(method, target, c.goodBody, once).want(t, 401, "Unauthorized")
	}
	list := n.send("GET", "/auth/tokens", "").json["tokens"].([]any)
	used := slices.DeleteFunc(list, func(v any) bool { return v.(map[string]any)["used"] != true })
	if len(used) != 7 {
		t.Errorf("%d are used: %v", len(used), used)
	}
}

// TestUseIsRecordedBeforeTheAct: what a single-use token does, it does after its use is on disk.
func TestUseIsRecordedBeforeTheAct(t *testing.T) {
	n := newTenants(t)
	once := n.token(`{"ttl":"1h","single_use":true}`)
	defer n.store.Subscribe(func(id string) {
		err := n.store.View(func(tx *store.Tx) error {
			return tx.Scan([]byte("t/"), nil, func(_, v []byte) bool {
				if strings.Contains(string(v), `"single_use":true`) && !strings.Contains(string(v), `"used":true`) {
					t.Errorf("%s was written before the use: %s", id, v)
				}
				return true
			})
		})
		if err != nil {
			t.Error(err)
		}
	})()
	n.send("PATCH", "/containers/mine", `{"tty":false}`, once).want(t, 200, `"generation":2`)
	if c, _ := n.store.Container("mine"); c.Power != desired.PowerStopped || c.TTY {
		t.Errorf("%+v", c)
	}
}
