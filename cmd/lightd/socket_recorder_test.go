package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"lightd/desired/subscribe"
)

// message is one of the WebSocket's.
type message struct {
	Event      string  `json:"event"`
	Data       string  `json:"data"`
	Position   string  `json:"position"`
	InternalID string  `json:"internal_id"`
	Type       string  `json:"type"`
	Message    string  `json:"message"`
	Seq        uint64  `json:"seq"`
	Time       string  `json:"time"`
	Generation int64   `json:"generation"`
	CPU        float64 `json:"cpu_usage"`
	Memory     int64   `json:"memory_usage"`
	Limit      int64   `json:"memory_limit"`
}

// recorder keeps everything that a WebSocket says.
type recorder struct {
	*node
	conn *websocket.Conn

	mu   sync.Mutex
	said []message     // guarded by mu
	end  error         // guarded by mu
	news chan struct{} // holds a value when something came since the last look
}

// record opens a WebSocket, which is closed when the test ends.
func (n *node) record(path string) *recorder {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(n.url, "http")+path,
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + n.token}}})
	if err != nil {
		n.t.Fatalf("open %s: %v", path, err)
	}
	conn.SetReadLimit(8 << 20)
	r := &recorder{node: n, conn: conn, news: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r.read() {
		}
	}()
	n.t.Cleanup(func() { _ = conn.CloseNow(); <-done })
	return r
}

func (r *recorder) read() bool {
	_, data, err := r.conn.Read(context.Background())
	var m message
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	r.mu.Lock()
	if err != nil {
		r.end = err
	} else {
		r.said = append(r.said, m)
	}
	r.mu.Unlock()
	subscribe.Wake(r.news)
	return err == nil
}

func (r *recorder) say(text string) {
	r.t.Helper()
	if err := r.conn.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

// leave closes the connection and returns everything that it said.
func (r *recorder) leave() []message {
	r.t.Helper()
	_ = r.conn.CloseNow()
	var said []message
	poll(r.t, func() error {
		var end error
		if said, end = r.all(); end == nil {
			return errors.New("the connection is still read")
		}
		return nil
	})
	return said
}

// all returns what was said so far, and whether there is more to come.
func (r *recorder) all() ([]message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said), r.end
}

// await waits for a message, and returns everything up to it.
func (r *recorder) await(what string, is func(message) bool) []message {
	r.t.Helper()
	deadline := time.After(3 * patience) // an installation fetches packages, on a busy machine for minutes
	for {
		said, end := r.all()
		if i := slices.IndexFunc(said, is); i >= 0 {
			return said[:i+1]
		}
		if end != nil {
			r.t.Fatalf("the connection ended before %s: %v; it said %+v", what, end, said)
		}
		select {
		case <-r.news:
		case <-deadline:
			r.t.Fatalf("no %s on the WebSocket; it said %+v; there is %s", what, said, r.node.describe())
		}
	}
}

// closed waits for the end, and wants it to have that code and reason.
func (r *recorder) closed(code websocket.StatusCode, reason string) {
	r.t.Helper()
	poll(r.t, func() error {
		_, end := r.all()
		var said websocket.CloseError
		if !errors.As(end, &said) || said.Code != code || said.Reason != reason {
			return fmt.Errorf("the connection's end is %v, want %d %q", end, code, reason)
		}
		return nil
	})
}

// awaitType waits for an event of section 4.
func (r *recorder) awaitType(kind string) []message {
	r.t.Helper()
	return r.await(kind, func(m message) bool { return m.Event == "lifecycle" && m.Type == kind })
}

// lifecycle returns the types of events among said, in order.
func lifecycle(said []message) []string {
	var list []string
	for _, m := range said {
		if m.Event == "lifecycle" {
			list = append(list, m.Type)
		}
	}
	return list
}

// words returns the data of the `event` messages among said.
func words(said []message) []string {
	var list []string
	for _, m := range said {
		if m.Event == "event" {
			list = append(list, m.Data)
		}
	}
	return list
}
