package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"lightd/desired"
	"lightd/hack/patient"
	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// peer is a client of a WebSocket.
type peer struct {
	t    testing.TB
	conn *websocket.Conn
}

func (n *node) dial(target string, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), patient.Bound)
	defer cancel()
	return websocket.Dial(ctx, "ws"+strings.TrimPrefix(n.url, "http")+target,
		&websocket.DialOptions{HTTPHeader: header, Subprotocols: protocols, HTTPClient: n.client})
}

func (n *node) connect(target string) *peer {
	n.t.Helper()
	conn, _, err := n.dial(target, http.Header{"Authorization": {"Bearer " + masterToken}})
	if err != nil {
		n.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	n.t.Cleanup(func() { _ = conn.CloseNow() })
	return &peer{n.t, conn}
}

// read returns the next message in short: its event and what tells it from others.
func (p *peer) read() string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patient.Bound)
	defer cancel()
	_, data, err := p.conn.Read(ctx)
	if err != nil {
		var end websocket.CloseError
		if !errors.As(err, &end) {
			return err.Error()
		}
		return fmt.Sprintf("closed %d %s", end.Code, end.Reason)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		p.t.Fatalf("%q is not JSON: %v", data, err)
	}
	switch m["event"] {
	case "lifecycle":
		return fmt.Sprintf("lifecycle %v %v %v", m["seq"], m["internal_id"], m["type"])
	case "stats":
		return fmt.Sprintf("stats %v", m["cpu_usage"])
	}
	if id, given := m["internal_id"]; given {
		return fmt.Sprintf("%v %v %v", m["event"], id, m["data"])
	}
	return fmt.Sprintf("%v %v", m["event"], m["data"])
}

func (p *peer) want(messages ...string) {
	p.t.Helper()
	for _, want := range messages {
		if got := p.read(); got != want {
			p.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func (p *peer) send(text string) {
	p.t.Helper()
	if err := p.conn.Write(p.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func TestSocketOrder(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.create("other")
	n.record("web", nil, journal.Started, journal.CreatingContainer)
	n.record("other", nil, journal.Started)
	n.installed("web")
	n.record("web", nil, journal.Ready)

	// Without after: the present, and then what happens.
	now := n.connect("/ws/web")
	now.want("event installed")
	// With it: what was missed, and no word for what is past.
	missed := n.connect("/ws/web?after=1")
	missed.want("event installed", "lifecycle 2 web CreatingContainer", "lifecycle 4 web Ready")
	n.record("other", nil, journal.Ready)
	n.record("web", func(st *status.Status) { st.State = status.StateStarting }, journal.Starting)
	n.record("web", func(st *status.Status) { st.State = status.StateRunning }, journal.Running, journal.LimitsUpdated)
	for _, p := range []*peer{now, missed} {
		p.want("lifecycle 6 web Starting", "event starting", "daemon_message Server starting",
			"lifecycle 7 web Running", "event running", "daemon_message Server started", "lifecycle 8 web LimitsUpdated")
	}
	n.connect("/ws/web?after=7").want("event running", "lifecycle 8 web LimitsUpdated")
	n.connect("/ws/web?after=1000").want("event running")
}

func TestSocketForAll(t *testing.T) {
	n := newNode(t)
	n.create("a")
	n.create("b")
	n.installed("b")
	n.record("a", nil, journal.Started)
	p := n.connect("/ws?after=0")
	p.want("event a installing", "event b installed", "lifecycle 1 a Started")
	n.record("a", nil, journal.Error)
	n.record("b", nil, journal.Starting)
	p.want("lifecycle 2 a Error", "event a failed", "lifecycle 3 b Starting", "event b starting")
	p.send(`{"event":"power","action":"start"}`)
	p.want("daemon_message Error: this connection takes no messages but auth")
	n.send("DELETE", "/containers/a", "").want(t, 202, "")
	n.remove("a")
	p.want("lifecycle 4 a Deleted")
	n.record("b", nil, journal.Running)
	p.want("lifecycle 5 b Running", "event b running")
}

func TestSocketConsole(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.create("off")
	n.installed("web")
	p := n.connect("/ws/web")
	p.want("event installed")
	n.console.output("web") <- console.Chunk{Text: "hello\n"}
	p.want("console hello\n")
	n.console.output("web") <- console.Chunk{Notice: "a gap"}
	p.want("daemon_message a gap")
	n.console.output("web") <- console.Chunk{Lost: 42, Text: "more\n"}
	p.want("daemon_message 42 bytes of console text were skipped: this connection reads too slowly", "console more\n")
	n.console.figures["web"] <- observed.Stats{CPUUsage: 25.5}
	p.want("stats 25.5")
	close(n.console.output("web"))
	close(n.console.figures["web"])

	p.send(`{"event":"send_command","command":"say hi\n"}`)
	n.console.history = []console.Chunk{{Text: "one\ntw"}, {Notice: "Output is missing here"}, {Text: "three\n"}}
	lines := func(want int) {
		t.Helper()
		p.want("logs one\ntw\n[lightd: Output is missing here]\nthree\n")
		if got := n.console.from; got != (console.From{Lines: want}) {
			t.Errorf("asked for %+v, want %d lines", got, want)
		}
	}
	p.send(`{"event":"request_logs"}`)
	lines(200)
	if got := n.console.written.String(); got != "say hi\n" {
		t.Errorf("the program read %q", got)
	}
	p.send(`{"event":"request_logs","lines":5000}`)
	lines(5000)
	p.send(`{"event":"request_logs","lines":13}`)
	p.want("daemon_message Error: Docker cannot do this now")
	if !strings.Contains(n.logs.String(), "the engine went away") {
		t.Error("the operator is not told why")
	}
	p.send(`{"event":"power","action":"start"}`)
	for text, want := range map[string]string{
		`nonsense`:                             "malformed",
		`[]`:                                   "a JSON object is expected",
		`{}`:                                   "event must be",
		`{"event":7}`:                          "event must be",
		`{"event":"selfdestruct"}`:             "event must be",
		`{"event":"send_command"}`:             "command is required",
		`{"event":"send_command","command":1}`: "command must be a string",
		`{"event":"send_command","command":"a\u0000"}`:      "NUL",
		`{"event":"send_command","command":"x","now":true}`: "now is not a known field",
		`{"event":"power"}`:                        "action must be",
		`{"event":"power","action":"explode"}`:     "action must be",
		`{"event":"request_logs","lines":0}`:       "lines must be",
		`{"event":"request_logs","lines":5001}`:    "lines must be",
		`{"event":"request_logs","event":"power"}`: "event is given twice",
	} {
		p.send(text)
		if got := p.read(); !strings.HasPrefix(got, "daemon_message Error: ") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want an error with %q", text, got, want)
		}
	}
	if c, _ := n.store.Container("web"); c.Power != desired.PowerRunning || c.Generation != 2 {
		t.Errorf("after a start: %+v", c)
	}
	if err := p.conn.Write(t.Context(), websocket.MessageBinary, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	p.want("daemon_message Error: a message must be text")
	off := n.connect("/ws/off")
	off.want("event installing")
	off.send(`{"event":"send_command","command":"x\n"}`)
	off.want("daemon_message Error: container is not running")
}

func TestSocketBeginning(t *testing.T) {
	n := newNode(t)
	n.create("web")
	bearer := http.Header{"Authorization": {"Bearer " + masterToken}}
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	position := console.At(at)
	for query, want := range map[string]console.From{
		"":                            {},
		"?tail=7":                     {Lines: 7},
		"?since=2026-11-26T12:00:00Z": {Since: position},
		"?since=" + position.String(): {Since: position},
		"?tail=0":                     {},
	} {
		p := n.connect("/ws/web" + query)
		p.want("event installing")
		n.console.mu.Lock()
		got := n.console.from
		n.console.mu.Unlock()
		if got.Since.String() != want.Since.String() || got.Lines != want.Lines {
			t.Errorf("%s: text begins at %+v", query, got)
		}
	}
	for _, query := range []string{"?since=2026-11-26T12:00:00Z&tail=7", "?tail=5001", "?tail=x", "?since=", "?since=yesterday", "?since=AQ", "?tail=1&tail=2",
		"?since=2026-11-26T12:00:00Z&since=2026-11-26T12:00:00Z"} {
		if _, answer, err := n.dial("/ws/web"+query, bearer); err == nil || answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s was not refused: %v", query, err)
		}
	}
	if _, answer, err := n.dial("/ws?tail=1", bearer); err == nil || answer.StatusCode != http.StatusBadRequest {
		t.Errorf("lines of all containers were not refused: %v", err)
	}
}

func TestSocketRefused(t *testing.T) {
	n := newNode(t, func(c *Config) { c.Origins = []string{"https://panel.example.com"} })
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
	few := newNode(t, func(c *Config) { c.ConsolesPerContainer, c.Consoles = 1, 2 })
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

// TestSocketCompression: only where the client asks for it in the address and offers it.
func TestSocketCompression(t *testing.T) {
	n := newNode(t)
	n.create("web")
	for _, c := range []struct {
		target string
		offer  websocket.CompressionMode
		want   string
	}{
		{"/ws/web", websocket.CompressionContextTakeover, ""},
		{"/ws/web?compress=false", websocket.CompressionContextTakeover, ""},
		{"/ws/web?compress=true", websocket.CompressionDisabled, ""},
		{"/ws/web?compress=true", websocket.CompressionContextTakeover, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
		{"/ws/web?compress=true", websocket.CompressionNoContextTakeover, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
	} {
		conn, response, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(n.url, "http")+c.target, &websocket.DialOptions{
			HTTPHeader: http.Header{"Authorization": {"Bearer " + masterToken}}, HTTPClient: n.client, CompressionMode: c.offer,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := response.Header.Get("Sec-WebSocket-Extensions"); got != c.want {
			t.Errorf("%s, offered %d: the extension is %q, want %q", c.target, c.offer, got, c.want)
		}
		p := &peer{t, conn}
		p.want("event installing")
		text := strings.Repeat("over and over again\n", 1000)
		n.console.output("web") <- console.Chunk{Text: text}
		p.want("console " + text)
		p.send(`{"event":"request_logs","lines":1` + strings.Repeat(" ", 1000) + `}`)
		p.want("logs ")
		_ = conn.CloseNow()
	}
	n.send("GET", "/ws/web?compress=please", "", upgrading...).want(t, 400, "compress")
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

// TestSocketFlood: whoever sends without end is told so, and the connection stays.
func TestSocketFlood(t *testing.T) {
	n := newNode(t)
	n.create("web")
	p := n.connect("/ws/web")
	p.want("event installing")
	var stop atomic.Bool
	sent := make(chan int, 1)
	go func() {
		count := 0
		for !stop.Load() && p.conn.Write(t.Context(), websocket.MessageText, []byte(`{"event":"request_logs","lines":1}`)) == nil {
			count++
		}
		sent <- count
	}()
	answers, ignored := 0, 0
	for ; ignored < 100; answers++ {
		if got := p.read(); got == "daemon_message Error: too many messages, this one was ignored" {
			ignored++
		} else if !strings.HasPrefix(got, "logs ") {
			t.Fatalf("got %q", got)
		}
	}
	stop.Store(true)
	for range <-sent - answers { // each one is answered
		p.read()
	}
}
