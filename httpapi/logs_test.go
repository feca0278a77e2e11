package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"lightd/hack/harness"
	"lightd/httpapi/api"
	"lightd/observed/console"
	"lightd/observed/journal"
	"lightd/observed/replay"
)

func TestLogs(t *testing.T) {
	n := newNode(t)
	n.create("web")
	position := replay.At(time.Unix(1_700_000_000, 0)).String()
	n.console.history = []console.Chunk{
		{Text: "one\r\ntw", Position: "p1"}, {Notice: "Output is missing here"}, {Text: "three\n", Position: position},
	}
	const text = "one\r\ntw\n[lightd: Output is missing here]\nthree\n"
	for query, want := range map[string]console.From{
		"":                            {Lines: 200},
		"?tail=5000":                  {Lines: 5000},
		"?tail=1&follow=false":        {Lines: 1},
		"?tail=0":                     {},
		"?since=2023-11-14T22:13:20Z": {Since: replay.At(time.Unix(1_700_000_000, 0).UTC())},
		"?since=1700000000":           {Since: replay.At(time.Unix(1_700_000_000, 0))},
		"?since=0":                    {Since: replay.At(time.Unix(0, 0))},
		"?since=0001-01-01T00:00:00Z": {Since: replay.At(time.Unix(0, 0))},
		"?since=" + position:          {Since: replay.At(time.Unix(1_700_000_000, 0))},
	} {
		response := harness.Value[*http.Response](t)(n.client.Do(n.request("GET", "/containers/web/logs"+query)))
		body := string(harness.Value[[]byte](t)(io.ReadAll(response.Body)))
		_ = response.Body.Close()
		if response.StatusCode != 200 || body != text || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: got %d %q", query, response.StatusCode, body)
		}
		if got := response.Trailer; got.Get(api.TrailerPosition) != position || got.Get(api.TrailerEnd) != "" {
			t.Errorf("%s: the trailers are %v", query, got)
		}
		if got := n.console.from; got.Lines != want.Lines || got.Since.String() != want.Since.String() {
			t.Errorf("%s: asked for %+v, want %+v", query, got, want)
		}
	}
	n.console.history = nil
	n.send("GET", "/containers/web/logs", "").want(t, 200, "")
	response := harness.Value[*http.Response](t)(n.client.Do(n.request("GET", "/containers/web/logs?since="+position)))
	_ = response.Body.Close()
	if got := response.Trailer.Get(api.TrailerPosition); got != position {
		t.Errorf("with nothing behind the position it is %q", got)
	}
	n.send("GET", "/containers/web/logs", "", "Accept: text/plain").want(t, 200, "")
	n.send("GET", "/containers/web/logs", "", "Accept: image/png").want(t, 406, "can be of type text/plain")
}

func TestLogsRefused(t *testing.T) {
	n := newNode(t)
	n.create("web")
	for query, field := range map[string]string{
		"?tail=5001": "tail", "?tail=-1": "tail", "?tail=all": "tail", "?tail=1&tail=2": "tail",
		"?since=yesterday": "since", "?since=": "since", "?since=-5": "since", "?since=253402300800": "since", "?since=1.5": "since", "?since=1&since=2": "since", "?since=99999999999999999999": "since",
		"?since=1700000000&tail=5": "tail", "?follow=yes": "follow", "?follow=true&follow=true": "follow",
	} {
		n.send("GET", "/containers/web/logs"+query, "").want(t, 400, `"field":"`+field+`"`)
	}
	n.send("GET", "/containers/nobody/logs", "").want(t, 404, "Container not found")
	n.console.failure = fmt.Errorf("read output: %w", console.ErrNoContainer)
	n.send("GET", "/containers/web/logs", "").want(t, 404, "log_not_found")
	n.console.failure = errors.New("the engine is out of sight")
	if a := n.send("GET", "/containers/web/logs", "").want(t, 503, "engine_unavailable"); a.header.Get("Retry-After") == "" {
		t.Error("no word of when to come again")
	}
	if !strings.Contains(n.logs.String(), "the engine is out of sight") {
		t.Error("the operator is not told")
	}
	// Once the text has begun, its failure shows as a text without an end.
	n.console.history = []console.Chunk{{Text: "one\n"}}
	response := harness.Value[*http.Response](t)(n.client.Do(n.request("GET", "/containers/web/logs")))
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); string(body) != "one\n" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", body, err)
	}
}

// tailing is a client that follows logs.
type tailing struct {
	*http.Response
	lines *bufio.Reader
}

func (n *testServer) tail(token string) *tailing {
	n.t.Helper()
	r := n.request("GET", "/containers/web/logs?follow=true")
	r.Header.Set("Authorization", "Bearer "+token)
	response := harness.Value[*http.Response](n.t)(n.client.Do(r))
	n.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != 200 {
		n.t.Fatalf("got %d", response.StatusCode)
	}
	return &tailing{response, bufio.NewReader(response.Body)}
}

// want reads lines.
func (l *tailing) want(t *testing.T, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if got, err := l.lines.ReadString('\n'); got != want+"\n" || err != nil {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

// ends wants an orderly end.
func (l *tailing) ends(t *testing.T, reason string) {
	t.Helper()
	if rest, err := io.ReadAll(l.lines); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v instead of the end", rest, err)
	}
	if got := l.Trailer.Get(api.TrailerEnd); got != reason {
		t.Errorf("it ended with %q, want %q", got, reason)
	}
}

func TestLogsFollow(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.create("web")
	ends := n.tail(n.temporary("1h", false))
	n.tokens.pass(time.Hour)
	ends.ends(t, "token is no longer valid")

	follows := n.tail(masterToken)
	print := n.console.output("web")
	print <- console.Chunk{Text: "one\n", Position: "p1"}
	follows.want(t, "one")
	print <- console.Chunk{Text: "half a line"}
	print <- console.Chunk{Lost: 42, Text: "\nmore\n", Position: "p2"}
	follows.want(t, "half a line", "[lightd: 42 bytes of console text were skipped: this connection reads too slowly]", "", "more")
	n.record("web", nil, journal.DriftDetected) // which is no end
	print <- console.Chunk{Text: "last\n", Position: "p3"}
	follows.want(t, "last")
	n.send("DELETE", "/containers/web", "").want(t, 202, "")
	n.remove("web")
	follows.ends(t, "container deleted")
	if got := follows.Trailer.Get(api.TrailerPosition); got != "p3" {
		t.Errorf("the position is %q", got)
	}

	n.create("web")
	stopped := n.tail(masterToken)
	stuck := n.tail(masterToken)
	closing := make(chan struct{})
	go func() {
		for text := strings.Repeat("x", 1<<20); ; { // more than the connection holds
			select {
			case print <- console.Chunk{Text: text}:
			case <-closing:
				return
			}
		}
	}()
	_, _ = io.CopyN(io.Discard, stopped.lines, 64<<20) // so that the other is full too
	close(closing)
	n.Close()
	_, err := io.Copy(io.Discard, stuck.lines)
	if err == nil {
		t.Error("what was cut off looks complete")
	}
	n.send("GET", "/containers/web/logs", "").want(t, 503, "stopping")
}

// TestLogsCountAsConnections together with the WebSockets.
func TestLogsCountAsConnections(t *testing.T) {
	n := newNode(t)
	n.create("web")
	for i := range 64 {
		if i%2 == 0 {
			n.tail(masterToken)
		} else {
			n.connect("/ws/web")
		}
	}
	n.send("GET", "/containers/web/logs", "").want(t, 429, "too_many_connections")
}

// request is one with the master token.
func (n *testServer) request(method, path string) *http.Request {
	n.t.Helper()
	r := harness.Value[*http.Request](n.t)(http.NewRequestWithContext(context.Background(), method, n.url+path, http.NoBody))
	r.Header.Set("Authorization", "Bearer "+masterToken)
	return r
}
