package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"lightd/httpapi/api"
)

// script is what a daemon does with the connections to a WebSocket, one after the other.
type script struct {
	t   *testing.T
	url string

	mu    sync.Mutex
	parts []func(context.Context, *websocket.Conn)
	asked []string
}

// play starts a daemon that opens a WebSocket for each of parts, and refuses any more.
func play(t *testing.T, parts ...func(context.Context, *websocket.Conn)) *script {
	t.Helper()
	s := &script{t: t, parts: parts}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *script) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+testToken || strings.Contains(r.URL.String(), testToken) {
		s.t.Errorf("asked for %s with %v", r.URL, r.Header)
	}
	if r.URL.Path == "/events" {
		fmt.Fprint(w, `{"events":[],"last_seq":40}`)
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.RequestURI())
	var part func(context.Context, *websocket.Conn)
	if len(s.parts) > 0 {
		part, s.parts = s.parts[0], s.parts[1:]
	}
	s.mu.Unlock()
	if part == nil {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"Unauthorized","code":"unauthorized"}`)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer conn.CloseNow()
	part(r.Context(), conn)
}

func (s *script) client() *Client {
	s.t.Helper()
	c, err := New(Config{URL: s.url, Token: testToken})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// says sends messages and then does what comes next: nil breaks the connection.
func says(next func(context.Context, *websocket.Conn), messages ...string) func(context.Context, *websocket.Conn) {
	return func(ctx context.Context, conn *websocket.Conn) {
		for _, m := range messages {
			if err := conn.Write(ctx, websocket.MessageText, []byte(m)); err != nil {
				return
			}
		}
		if next != nil {
			next(ctx, conn)
		}
	}
}

func closes(code websocket.StatusCode) func(context.Context, *websocket.Conn) {
	return func(_ context.Context, conn *websocket.Conn) { _ = conn.Close(code, "") }
}

func lifecycle(seq int) string {
	return fmt.Sprintf(`{"event":"lifecycle","seq":%d,"time":"2026-01-02T03:04:05Z","internal_id":"web","type":"Ready","generation":1,"message":"m"}`, seq)
}

// TestConsoleGoesOn breaks the connection in every way: each message comes once, and a new
// connection asks for what the last one did not bring.
func TestConsoleGoesOn(t *testing.T) {
	s := play(t,
		says(nil, `{"event":"event","data":"running"}`, lifecycle(41), `{"event":"console","data":"a\r\n","position":"p1"}`),
		says(closes(websocket.StatusGoingAway), `{"event":"event","data":"running"}`, `{"event":"console","data":"b\r\n","position":"p2"}`),
		says(closes(websocket.StatusInternalError), lifecycle(42),
			`{"event":"stats","cpu_usage":25.5,"memory_usage":7,"of":"a newer daemon"}`, `{"event":"dance","data":{"of":"a newer daemon"}}`),
		says(closes(websocket.StatusNormalClosure), `{"event":"daemon_message","data":"Server is being deleted"}`, lifecycle(43)),
	)
	var told []string
	for m, err := range s.client().Follow(t.Context(), "web", From{After: Now, Tail: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		word := fmt.Sprintf("%s %s%q", m.Kind, m.Word, m.Text)
		if m.Lifecycle != nil {
			word = fmt.Sprintf("%s %s %d", m.Kind, m.Lifecycle.Type, m.Lifecycle.Seq)
		}
		if m.Stats != nil {
			word = fmt.Sprintf("%s %v %d", m.Kind, m.Stats.CPUUsage, m.Stats.MemoryUsage)
		}
		told = append(told, word)
	}
	want := []string{
		`event running""`, "lifecycle Ready 41", `console "a\r\n"`, `event running""`, `console "b\r\n"`,
		"lifecycle Ready 42", "stats 25.5 7", `dance ""`, `daemon_message "Server is being deleted"`, "lifecycle Ready 43",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	asked := []string{"/ws/web?after=40&tail=3", "/ws/web?after=41&since=p1", "/ws/web?after=41&since=p2", "/ws/web?after=42&since=p2"}
	if !slices.Equal(s.asked, asked) {
		t.Errorf("asked for\n%s\nwant\n%s", strings.Join(s.asked, "\n"), strings.Join(asked, "\n"))
	}
}

// TestConsoleEnds: with what words, after what closes.
func TestConsoleEnds(t *testing.T) {
	cases := []struct {
		name string
		part func(context.Context, *websocket.Conn)
		want func(error) bool
	}{
		{"the container is deleted", closes(websocket.StatusNormalClosure), func(err error) bool { return err == nil }},
		{"the token has expired", closes(websocket.StatusPolicyViolation), func(err error) bool { return errors.Is(err, ErrUnauthorized) }},
		{"what was sent is too big", closes(websocket.StatusMessageTooBig), func(err error) bool {
			return websocket.CloseStatus(err) == websocket.StatusMessageTooBig
		}},
		{"what comes is no message", says(nil, `[`), func(err error) bool { return err != nil && !errors.Is(err, ErrUnauthorized) }},
		{"a message is not as it should be", says(nil, `{"event":"event","data":7}`), func(err error) bool {
			return err != nil && strings.Contains(err.Error(), `kind "event"`)
		}},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			var last error
			for _, err := range play(t, k.part).client().Follow(t.Context(), "web", From{}) {
				last = err
			}
			if !k.want(last) {
				t.Errorf("ended with %v", last)
			}
		})
	}
}

func TestConsoleIsRefused(t *testing.T) {
	s := play(t)
	if _, err := s.client().Console(t.Context(), "web", From{}); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("%v is not ErrUnauthorized", err)
	}
	if err := func() error {
		for _, err := range s.client().FollowEvents(t.Context(), "", 0) {
			return err
		}
		return nil
	}(); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("%v is not ErrUnauthorized", err)
	}
}

// TestConsoleSends says everything that can be said, over a connection that breaks in
// between.
func TestConsoleSends(t *testing.T) {
	heard := make(chan string, 10)
	hears := func(n int) func(context.Context, *websocket.Conn) {
		return func(ctx context.Context, conn *websocket.Conn) {
			for range n {
				_, data, err := conn.Read(ctx)
				if err != nil {
					heard <- err.Error()
					return
				}
				heard <- string(data)
			}
		}
	}
	s := play(t, says(hears(4), `{"event":"event","data":"running"}`),
		says(func(ctx context.Context, conn *websocket.Conn) {
			hears(3)(ctx, conn)
			closes(websocket.StatusNormalClosure)(ctx, conn)
		},
			`{"event":"event","data":"running"}`))
	k, err := s.client().Console(t.Context(), "web", From{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	words := 0
	for m, err := range k.Messages() {
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind != api.MessageWord {
			continue
		}
		if words++; words == 1 {
			err = errors.Join(k.SendCommand(t.Context(), "say <hi> \"you\"\n"), k.Power(t.Context(), Restart), k.Renew(t.Context()),
				k.Resize(t.Context(), 120, 40))
		} else {
			err = errors.Join(k.RequestLogs(t.Context(), 0), k.RequestLogs(t.Context(), 7))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`{"command":"say <hi> \"you\"\n","event":"send_command"}`, `{"action":"restart","event":"power"}`,
		`{"event":"auth","token":"` + testToken + `"}`,
		`{"event":"resize","cols":120,"rows":40}`, `{"event":"resize","cols":120,"rows":40}`, // and for the new connection
		`{"event":"request_logs"}`, `{"event":"request_logs","lines":7}`,
	} {
		if got := <-heard; !sameJSON(t, got, want) {
			t.Errorf("heard %s, want %s", got, want)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y map[string]any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Error(err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

// silent keeps a connection open and reads it, so that its end is seen.
func silent(ctx context.Context, conn *websocket.Conn) { _, _, _ = conn.Read(ctx) }

// TestConsoleIsClosed: by whom ever, Messages and senders hear of it at once.
func TestConsoleIsClosed(t *testing.T) {
	for name, end := range map[string]struct {
		by   func(cancel context.CancelFunc, k *Console)
		want error
	}{
		"by Close":       {func(_ context.CancelFunc, k *Console) { k.Close() }, ErrClosed},
		"by its context": {func(cancel context.CancelFunc, _ *Console) { cancel() }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, says(silent, `{"event":"event","data":"running"}`))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			k, err := s.client().Console(ctx, "web", From{})
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			var last error
			for m, err := range k.Messages() {
				if last = err; err == nil && m.Kind == api.MessageWord {
					end.by(cancel, k)
				}
			}
			if !errors.Is(last, end.want) {
				t.Errorf("Messages ended with %v", last)
			}
			if err := k.SendCommand(t.Context(), "x"); !errors.Is(err, end.want) {
				t.Errorf("a command was answered with %v", err)
			}
		})
	}
}

// TestSendWithoutAConnection waits for one as long as its context lasts.
func TestSendWithoutAConnection(t *testing.T) {
	s := play(t, silent)
	k, err := s.client().Console(t.Context(), "web", From{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	k.drop() // as a break does
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := k.SendCommand(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended with %v", err)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"event":"stats","cpu_usage":25.5}`))
	f.Add([]byte(`{"event":"event","data":"running"}`))
	f.Add([]byte(lifecycle(1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err == nil && m.Kind == api.MessageLifecycle && m.Lifecycle == nil || err == nil && m.Kind == api.MessageStats && m.Stats == nil {
			t.Errorf("%q became %+v", data, m)
		}
	})
}
