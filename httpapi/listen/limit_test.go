package listen

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/httpapi/certs"
)

// TestIdleConnectionsMakeRoom: the oldest connection without a request is closed for a new one; one with a
// request under way stays, and where all have one, the new connection is refused with an answer.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	all := harness.Value[[]Address](t)(Parse("127.0.0.1:0", false))
	l := harness.Value[[]*Listener](t)(OpenAll(all, Options{}))[0]
	limiter := NewLimiter(Limits{Total: 4, PerPeer: 2})
	leave := make(chan struct{})
	server := &http.Server{ConnState: limiter.ConnState, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			<-leave
		}
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(limiter.Wrap(l)) }()
	defer func() {
		_ = server.Close()
		<-served
		eventually.Poll(t, func() error {
			if n := limiter.Total(); n > 0 {
				return net.ErrClosed
			}
			return nil
		})
	}()
	dial := func() net.Conn {
		t.Helper()
		conn := harness.Value[net.Conn](t)(net.Dial("tcp", l.At))
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(eventually.Bound))
		return conn
	}
	get := func(conn net.Conn, path string) *http.Response {
		t.Helper()
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		return harness.Value[*http.Response](t)(http.ReadResponse(bufio.NewReader(conn), nil))
	}
	var idle []net.Conn
	for range 4 {
		idle = append(idle, dial())
		get(idle[len(idle)-1], "/")
	}
	eventually.Poll(t, func() error { // the server counts a connection as idle after its answer
		limiter.mu.Lock()
		defer limiter.mu.Unlock()
		if n := limiter.idle.Len(); n < len(idle) {
			return fmt.Errorf("%d connections are idle", n)
		}
		return nil
	})
	for range 4 { // each takes the place of the oldest
		if got := get(dial(), "/slow").StatusCode; got != 200 {
			t.Errorf("a new connection gets %d", got)
		}
	}
	for _, conn := range idle {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("an idle connection stays")
		}
	}
	refused := dial()
	answer := harness.Value[*http.Response](t)(http.ReadResponse(bufio.NewReader(refused), nil))
	if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" {
		t.Errorf("got %s", answer.Status)
	}
	close(leave)
}

// TestConnectionsByAddress: one address gets no more than its part, and a proxy is none.
func TestConnectionsByAddress(t *testing.T) {
	limiter := NewLimiter(Limits{Total: 10, PerPeer: 2, Exempt: func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.1") }})
	enter := func(from string) (*conn, *conn, error) {
		c := &conn{}
		c.peer.Addr = netip.MustParseAddr(from)
		evicted, err := limiter.enter(c)
		return c, evicted, err
	}
	busy := func(c *conn) { limiter.ConnState(c, http.StateActive) }
	for _, from := range []string{"192.0.2.1", "2001:db8::1"} {
		for range 2 {
			c, _, err := enter(from)
			if err != nil {
				t.Fatal(err)
			}
			busy(c)
		}
	}
	for _, from := range []string{"192.0.2.1", "2001:db8::ffff"} { // the same /64
		if _, _, err := enter(from); err != errPeer {
			t.Errorf("a third connection of %s: %v", from, err)
		}
	}
	for range 6 {
		c, _, err := enter("10.0.0.1")
		if err != nil {
			t.Error(err)
		}
		busy(c)
	}
	if _, _, err := enter("192.0.2.9"); err != errTotal {
		t.Errorf("one more than there may be: %v", err)
	}
	if limiter.idle.Len() != 0 || limiter.total != 10 || len(limiter.peers) != 3 {
		t.Errorf("%d idle of %d, of %d peers", limiter.idle.Len(), limiter.total, len(limiter.peers))
	}
}

// TestIdleConnectionsOverTLS: those that never finish a handshake, and those that keep a connection after a
// request, make room like others.
func TestIdleConnectionsOverTLS(t *testing.T) {
	all := harness.Value[[]Address](t)(Parse("127.0.0.1:0", true))
	l := harness.Value[[]*Listener](t)(OpenAll(all, Options{}))[0]
	files := harness.Value[certs.Files](t)(certs.SelfSigned(t.TempDir(), []string{"127.0.0.1"}))
	limiter := NewLimiter(Limits{Total: 4, PerPeer: 4})
	config := harness.Value[*certs.Source](t)(certs.Open(files, slog.Default())).Config()
	server := &http.Server{
		TLSConfig: config, ConnState: limiter.ConnState, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(limiter.Wrap(l), "", "") }()
	defer func() {
		_ = server.Close()
		<-served
	}()
	for range 12 {
		conn := harness.Value[net.Conn](t)(net.Dial("tcp", l.At))
		defer conn.Close()
	}
	for i := range 12 {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: i%2 == 0}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport, Timeout: eventually.Bound}).Get("https://" + l.At)
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		_ = answer.Body.Close()
	}
	if n := limiter.Total(); n > 4 {
		t.Errorf("%d connections", n)
	}
}
