package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/observed/journal"
)

func TestSocketRefused(t *testing.T) {
	n := newNode(t, func(c *config) { c.Origins = []string{"https://panel.example.com"} })
	n.create("web")
	bearer := http.Header{"Authorization": {"Bearer " + masterToken}}
	with := func(name, value string) http.Header {
		h := bearer.Clone()
		h[name] = append(h[name], value)
		return h
	}
	cases := []struct {
		name, target string
		header       http.Header
		protocols    []string
		status       int
	}{
		{"no token", "/ws/web", nil, nil, 401},
		{"a bad token", "/ws/web?token=lightd_aaaaaaaaaaaaaaaaa", nil, nil, 401},
		{"two tokens", "/ws/web?token=" + masterToken, bearer, nil, 401},
		{"two in the query", "/ws/web?token=" + masterToken + "&token=" + masterToken, nil, nil, 401},
		{"two protocols", "/ws/web", nil, []string{"bearer." + masterToken, "bearer." + masterToken + "x"}, 401},
		{"nobody's", "/ws/nobody", bearer, nil, 404},
		{"nobody's without a token", "/ws/nobody", nil, nil, 401},
		{"an empty id", "/ws/", bearer, nil, 404},
		{"a foreign origin", "/ws/web", with("Origin", "https://evil.example.com"), nil, 403},
		{"no origin at all", "/ws/web", with("Origin", "null"), nil, 403},
		{"a bad number", "/ws/web?after=x", bearer, nil, 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn, response, err := n.dial(c.target, c.header, c.protocols...)
			if err == nil {
				_ = conn.CloseNow()
				t.Fatal("let in")
			}
			if response == nil || response.StatusCode != c.status {
				t.Errorf("got %v, %v, want %d", response, err, c.status)
			}
		})
	}
	let := []struct {
		name, target string
		header       http.Header
		protocols    []string
	}{
		{"query", "/ws/web?token=" + masterToken, nil, nil},
		{"header", "/ws/web", bearer, nil},
		{"subprotocol", "/ws/web", nil, []string{"lightd", "bearer." + masterToken}},
		{"our own origin", "/ws/web", with("Origin", n.url), nil},
		{"an allowed origin", "/ws/web", with("Origin", "https://PANEL.example.com"), nil},
	}
	for _, c := range let {
		t.Run(c.name, func(t *testing.T) {
			conn, _, err := n.dial(c.target, c.header, c.protocols...)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			if c.protocols != nil && conn.Subprotocol() != "bearer."+masterToken {
				t.Errorf("the subprotocol is %q", conn.Subprotocol())
			}
			(&peer{t, conn}).want("event installing")
		})
	}
}

func TestSocketSingleUseToken(t *testing.T) {
	n := newNode(t)
	n.create("web")
	made := n.send("POST", "/auth/tokens", `{"ttl":"1h","remove_on_use":true}`).want(t, 201, "")
	target := "/ws/web?token=" + made.json["token"].(string)
	conn, _, err := n.dial(target, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	(&peer{t, conn}).want("event installing")
	if again, response, err := n.dial(target, nil); err == nil {
		_ = again.CloseNow()
		t.Error("let in twice")
	} else if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d", response.StatusCode)
	}
}

func TestSocketEnds(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.create("big")
	n.create("stays")
	web, big, stays, all := n.connect("/ws/web"), n.connect("/ws/big"), n.connect("/ws/stays"), n.connect("/ws")
	web.want("event installing")
	big.want("event installing")
	big.send(`{"event":"send_command","command":"` + strings.Repeat("a", 64<<10) + `"}`)
	if got := big.read(); !strings.HasPrefix(got, "closed 1009 ") {
		t.Errorf("got %q after a message that is too big", got)
	}

	n.send("DELETE", "/containers/web", "").want(t, 202, "")
	n.record("web", nil, journal.Deleting)
	n.remove("web")
	web.want("lifecycle 1 web Deleting", "daemon_message Server is being deleted", "lifecycle 2 web Deleted", "closed 1000 container deleted")

	stays.want("event installing")
	all.want("event big installing", "event stays installing", "event web installing", "lifecycle 1 web Deleting", "lifecycle 2 web Deleted")
	closed := make(chan struct{})
	go func() { n.Close(); close(closed) }()
	stays.want("closed 1001 daemon is stopping")
	all.want("closed 1001 daemon is stopping")
	<-closed
	if conn, response, err := n.dial("/ws/stays?token="+masterToken, nil); err == nil {
		_ = conn.CloseNow()
		t.Error("let in after the end")
	} else if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %d", response.StatusCode)
	}
}

func TestSocketLimit(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.create("other")
	for range 64 {
		n.connect("/ws/web")
	}
	conn, response, err := n.dial("/ws/web?token="+masterToken, nil)
	if err == nil {
		_ = conn.CloseNow()
		t.Fatal("let in a 65th")
	}
	if response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("got %d", response.StatusCode)
	}
	n.connect("/ws/other").want("event installing")
	few := newNode(t, func(c *config) { c.ConsolesPerContainer, c.Consoles = 1, 2 })
	for _, id := range []string{"a", "b", "c"} {
		few.create(id)
	}
	few.connect("/ws/a")
	few.connect("/ws/b")
	for _, target := range []string{"/ws/a", "/ws/c", "/ws"} {
		few.send("GET", target, "", upgrading...).want(t, 429, "too_many_connections")
	}
}

// upgrading are the headers of a request for a WebSocket.
var upgrading = []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}

// TestSocketTokenExpires: the connection ends with the token that opened it.
func TestSocketTokenExpires(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.create("web")
	conn, _, err := n.dial("/ws/web?token="+n.temporary("1h", false), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	p := &peer{t, conn}
	p.want("event installing")
	n.tokens.pass(time.Hour)
	p.want("closed 1008 token is no longer valid")
}

// TestSocketTokenIsRenewed: another token takes the place of the one that is about to
// expire. One that is refused changes nothing.
func TestSocketTokenIsRenewed(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.create("web")
	auth := func(token string) string { return fmt.Sprintf(`{"event":"auth","token":%q}`, token) }
	first, once := n.temporary("1h", false), n.temporary("3h", true)
	dial := func(target, word string) *peer {
		conn, _, err := n.dial(target+"?token="+first, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		p := &peer{t, conn}
		p.want(word)
		return p
	}
	renewed, refused, all := dial("/ws/web", "event installing"), dial("/ws/web", "event installing"), dial("/ws", "event web installing")
	renewed.send(auth(once))
	renewed.want("daemon_message Token accepted")
	refused.send(auth(once))
	refused.want("daemon_message Error: Unauthorized")
	refused.send(auth("lightd_nobody_has_ever_made_this"))
	refused.want("daemon_message Error: Unauthorized")
	refused.send(`{"event":"auth"}`)
	refused.want("daemon_message Error: Unauthorized")
	all.send(auth(n.temporary("3h", false)))
	all.want("daemon_message Token accepted")
	n.tokens.pass(time.Hour)
	refused.want("closed 1008 token is no longer valid")
	// Tokens are looked at for all connections at once: the others have outlived theirs.
	n.record("web", nil, journal.Started)
	renewed.want("lifecycle 1 web Started")
	all.want("lifecycle 1 web Started")
	renewed.send(auth(n.temporary("2h", false)))
	renewed.want("daemon_message Token accepted")
	n.tokens.pass(time.Hour)
	renewed.want("closed 1008 token is no longer valid")
	if strings.Contains(n.logs.String(), "lightd_") {
		t.Error("a token is in the log")
	}
}

// TestHalfUpgrades: whatever is missing, the refusal is JSON.
func TestHalfUpgrades(t *testing.T) {
	n := newNode(t)
	n.create("web")
	for i, line := range upgrading {
		name, _, _ := strings.Cut(line, ": ")
		for _, value := range []string{"", "x"} {
			lines := slices.Clone(upgrading)
			lines[i] = name + ": " + value
			a := n.send("GET", "/ws/web", "", lines...).want(t, 426, `"code":"upgrade_required"`)
			if a.header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("%v: got %v", lines, a.header)
			}
		}
	}
}
