package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/journal"
	"lightd/observed/replay"
	"lightd/observed/status"
)

// peer is a client of a WebSocket.
type peer struct {
	t    testing.TB
	conn *websocket.Conn
}

func (n *testServer) dial(target string, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), eventually.Bound)
	defer cancel()
	return websocket.Dial(ctx, "ws"+strings.TrimPrefix(n.url, "http")+target,
		&websocket.DialOptions{HTTPHeader: header, Subprotocols: protocols, HTTPClient: n.client})
}

func (n *testServer) connect(target string) *peer {
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
	ctx, cancel := context.WithTimeout(p.t.Context(), eventually.Bound)
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
	p.send(`{"event":"resize","cols":120,"rows":40}`)
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
	if got := n.console.written.String(); got != "say hi\n[120 by 40]" {
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
		`[1]`:                                  "a JSON object is expected",
		`[]`:                                   "event must be",
		`{}`:                                   "event must be",
		`{"event":7}`:                          "event must be",
		`{"event":"selfdestruct"}`:             "event must be",
		`{"event":"send_command"}`:             "command is required",
		`{"event":"send_command","command":1}`: "command must be a string",
		`{"event":"send_command","command":"a\u0000"}`:      "NUL",
		`{"event":"send_command","command":"x","now":true}`: "now is not a known field",
		`{"event":"resize","cols":0,"rows":40}`:             "cols and rows must be from 1 to 1000",
		`{"event":"resize","cols":80,"rows":1001}`:          "cols and rows must be from 1 to 1000",
		`{"event":"resize","cols":"80","rows":24}`:          "cols must be",
		`{"event":"resize","cols":80}`:                      "cols and rows must be",
		`{"event":"power"}`:                                 "action must be",
		`{"event":"power","action":"explode"}`:              "action must be",
		`{"event":"request_logs","lines":0}`:                "lines must be",
		`{"event":"request_logs","lines":5001}`:             "lines must be",
		`{"event":"request_logs","event":"power"}`:          "event is given twice",
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
	position := replay.At(at)
	for query, want := range map[string]console.From{
		"":                            {},
		"?tail=7":                     {Lines: 7},
		"?since=2026-11-26T12:00:00Z": {Since: position},
		"?since=0":                    {Since: replay.At(time.Unix(0, 0))},
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

// TestSocketCompression: only where the client asks for it in the address and offers it.
func TestSocketCompression(t *testing.T) {
	n := newNode(t)
	for i, c := range []struct {
		query string
		offer websocket.CompressionMode
		want  string
	}{
		{"", websocket.CompressionContextTakeover, ""},
		{"?compress=false", websocket.CompressionContextTakeover, ""},
		{"?compress=true", websocket.CompressionDisabled, ""},
		{"?compress=true", websocket.CompressionContextTakeover, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
		{"?compress=true", websocket.CompressionNoContextTakeover, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
	} {
		id := fmt.Sprintf("web-%d", i) // a client that has gone may take the next one's text
		n.create(id)
		conn, response, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(n.url, "http")+"/ws/"+id+c.query, &websocket.DialOptions{
			HTTPHeader: http.Header{"Authorization": {"Bearer " + masterToken}}, HTTPClient: n.client, CompressionMode: c.offer,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := response.Header.Get("Sec-WebSocket-Extensions"); got != c.want {
			t.Errorf("%s, offered %d: the extension is %q, want %q", c.query, c.offer, got, c.want)
		}
		p := &peer{t, conn}
		p.want("event installing")
		text := strings.Repeat("over and over again\n", 1000)
		n.console.output(id) <- console.Chunk{Text: text}
		p.want("console " + text)
		p.send(`{"event":"request_logs","lines":1` + strings.Repeat(" ", 1000) + `}`)
		p.want("logs ")
		_ = conn.CloseNow()
	}
	n.send("GET", "/ws/web-0?compress=please", "", upgrading...).want(t, 400, "compress")
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
