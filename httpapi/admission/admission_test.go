package admission

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lightd/hack/eventually"
	"lightd/httpapi/peer"
	"lightd/httpapi/rest"
)

// hall is an Admission before an authentication that takes one token, and a handler.
type hall struct {
	*Admission
	handler http.Handler
}

const good = "Bearer good"

func newHall(cfg Config, handle http.HandlerFunc) *hall {
	cfg.IsStream = func(r *http.Request) bool { return r.URL.Path == "/stream" }
	cfg.IsLarge = func(r *http.Request) bool { return r.URL.Path == "/list" }
	cfg.IsSocket = func(path string) bool { return path == "/ws" }
	h := &hall{Admission: New(cfg)}
	refuse := h.Refused(func(w http.ResponseWriter, r *http.Request, err error) {
		p, _ := rest.ErrorOf(err)
		p.Write(w, r)
	})
	next := h.Bound(func(r *http.Request) bool { return r.URL.Path != "/public" }, handle)
	h.handler = h.Resolve(h.Screen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), good) {
			refuse(w, r, rest.NewError(401, "unauthorized", "Unauthorized"))
			return
		}
		next.ServeHTTP(w, r)
	})))
	return h
}

// send is a request from an address, with an Authorization header.
func (h *hall) send(from, authorization string, more ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = from + ":1"
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	for _, fn := range more {
		fn(r)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

func ok(http.ResponseWriter, *http.Request) {}

// TestFailuresAreLimitedByAddress: a guesser is stopped; others are not, at other addresses and, where their
// token was accepted before, at the same one.
func TestFailuresAreLimitedByAddress(t *testing.T) {
	h := newHall(Config{FailureBurst: 5, Proxies: peer.Resolver{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}}}, ok)
	now := time.Now()
	h.failures.now = func() time.Time { return now }
	if got := h.send("192.0.2.1", good+"-panel").Code; got != 200 {
		t.Fatal(got)
	}
	for i := range 20 {
		want := 401
		if i >= 5 {
			want = 429
		}
		w := h.send("192.0.2.1", fmt.Sprintf("Bearer guess-%d", i), func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i)) // is not believed
		})
		if w.Code != want || want == 429 && w.Header().Get("Retry-After") == "" {
			t.Errorf("guess %d: %d", i, w.Code)
		}
	}
	for what, got := range map[string]int{
		"a token that was accepted before":     h.send("192.0.2.1", good+"-panel").Code,
		"another address":                      h.send("192.0.2.2", good+"-new").Code,
		"another address behind a proxy":       h.send("10.0.0.1", good+"-newer", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.9") }).Code,
		"a request without a token, as before": h.send("192.0.2.1", "").Code - 201,
	} {
		if got != 200 {
			t.Errorf("%s is answered with %d", what, got)
		}
	}
	if got := h.send("10.0.0.1", good+"-last", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }).Code; got != 429 {
		t.Errorf("the guesser's address behind a proxy: %d", got)
	}
	now = now.Add(failureEvery)
	if got := h.send("192.0.2.1", good+"-last").Code; got != 200 {
		t.Errorf("a second later: %d", got)
	}
}

// TestFailuresTakeBoundedMemory however many addresses and tokens there are.
func TestFailuresTakeBoundedMemory(t *testing.T) {
	f := newFailures(5, time.Now)
	for i := range 5 * maxRemembered {
		f.failed(fmt.Sprint(i))
		f.succeeded(client{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	if n := len(f.debts.now) + len(f.debts.before) + len(f.accepted.now) + len(f.accepted.before); n > 4*maxRemembered {
		t.Errorf("%d records", n)
	}
}

// BenchmarkRefusal is what a guess costs once the address is limited: far below 50 µs.
func BenchmarkRefusal(b *testing.B) {
	h := newHall(Config{FailureBurst: 1}, ok)
	for i := range b.N {
		h.send("192.0.2.1", fmt.Sprintf("Bearer guess-%d", i))
	}
}

// TestHosts: a name that resolves to this machine is no name of it.
func TestHosts(t *testing.T) {
	hosts, err := NewHosts([]string{"Node-1.example.com.", "192.0.2.7", "*.lan"}, func(name string) bool { return name == "certified.example.com" })
	if err != nil {
		t.Fatal(err)
	}
	h := newHall(Config{Hosts: hosts}, ok)
	for _, c := range []struct {
		local, host string
		tls, served bool
	}{
		{"127.0.0.1", "127.0.0.1:8070", false, true}, {"127.0.0.1", "localhost:8070", false, true}, {"127.0.0.1", "[::1]:8070", false, true},
		{"127.0.0.1", "x.localhost", false, true}, {"::1", "[::1]", false, true}, {"127.0.0.1", "", false, true},
		{"127.0.0.1", "evil.example", false, false}, {"127.0.0.1", "evil.example:8070", true, false}, {"127.0.0.1", "localhost.evil.example", false, false},
		{"127.0.0.1", "10.0.0.1", false, false},
		{"198.51.100.1", "198.51.100.1:8070", false, true}, {"::ffff:198.51.100.1", "198.51.100.1", false, true},
		{"198.51.100.1", "localhost", false, false}, {"198.51.100.1", "127.0.0.1", false, false}, {"198.51.100.1", "192.0.2.7:1", false, true},
		{"198.51.100.1", "NODE-1.example.COM:443", false, true}, {"198.51.100.1", "node-1.example.com.", false, true}, {"198.51.100.1", "a.lan", false, true},
		{"198.51.100.1", "lan", false, false}, {"198.51.100.1", "certified.example.com", true, true}, {"198.51.100.1", "certified.example.com", false, false},
	} {
		w := h.send("203.0.113.1", good, func(r *http.Request) {
			*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.ParseIP(c.local), Port: 8070})))
			if r.Host = c.host; !c.tls {
				r.TLS = nil
			} else {
				r.TLS = httptest.NewRequest("GET", "https://x", nil).TLS
			}
		})
		if served := w.Code == 200; served != c.served || !served && (w.Code != 421 || !strings.Contains(w.Body.String(), `\"hosts\"`)) {
			t.Errorf("%s on %s (TLS %v): %d %s", c.host, c.local, c.tls, w.Code, w.Body)
		}
	}
	for _, bad := range []string{"", "a:1", "http://a", "a b"} {
		if _, err := NewHosts([]string{bad}, nil); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestRequestsOfOneToken: one that uses up what it may does not touch another; streams are not counted.
func TestRequestsOfOneToken(t *testing.T) {
	enter, leave := make(chan struct{}, 9), make(chan struct{})
	h := newHall(Config{PerToken: 2}, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" || r.Header.Get("Authorization") == good+"-a" {
			enter <- struct{}{}
			<-leave
		}
	})
	done := make(chan int, 9)
	start := func(path string) {
		go func() {
			done <- h.send("192.0.2.1", good+"-a", func(r *http.Request) { r.URL.Path = path }).Code
		}()
		<-enter
	}
	start("/stream")
	start("/stream")
	start("/")
	start("/")
	if w := h.send("192.0.2.1", good+"-a"); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("the third request is answered with %d", w.Code)
	}
	if got := h.send("192.0.2.1", good+"-b").Code; got != 200 {
		t.Errorf("another token is answered with %d", got)
	}
	close(leave)
	for range 4 {
		if got := <-done; got != 200 {
			t.Error(got)
		}
	}
	if len(h.under) > 0 {
		t.Errorf("%v are still counted", h.under)
	}
}

// TestBodiesHaveABudget: a body beyond it is refused while it is read, one of another token is not, and what
// is released is free again.
func TestBodiesHaveABudget(t *testing.T) {
	const size = 100 << 10
	released, leave, waiting := make(chan error, 9), make(chan struct{}), make(chan struct{})
	h := newHall(Config{Memory: 4 * size}, func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			p, _ := rest.ErrorOf(err)
			p.Write(w, r)
			return
		}
		if len(data) != size {
			t.Errorf("%d bytes", len(data))
		}
		if r.URL.Path == "/wait" {
			rest.ReleaseBody(r.Context())
			rest.ReleaseBody(r.Context())
			released <- nil
			<-waiting
			return
		}
		released <- nil
		<-leave
	})
	done := make(chan int, 9)
	post := func(path, token string) *httptest.ResponseRecorder {
		return h.send("192.0.2.1", good+token, func(r *http.Request) {
			r.Method, r.URL.Path, r.ContentLength, r.Body = "POST", path, size, io.NopCloser(strings.NewReader(strings.Repeat("x", size)))
		})
	}
	hold := func(path, token string) {
		go func() { done <- post(path, token).Code }()
		<-released
	}
	for range 3 {
		hold("/", "-a")
	}
	for range 2 {
		if w := post("/", "-a"); w.Code != 429 || w.Header().Get("Retry-After") == "" {
			t.Errorf("a body beyond the share is answered with %d", w.Code)
		}
	}
	hold("/", "-b")
	if w := post("/", "-c"); w.Code != 429 {
		t.Errorf("a body beyond the total is answered with %d", w.Code)
	}
	close(leave)
	for range 4 {
		<-done
	}
	for range 8 { // of one token at once, each of which has released its body
		hold("/wait", "-a")
	}
	close(waiting)
	for range 8 {
		<-done
	}
	if h.bodies.used != 0 || len(h.bodies.by) > 0 {
		t.Errorf("%d bytes are held by nobody", h.bodies.used)
	}
}

// unread is a connection whose reader does not read.
type unread struct {
	*httptest.ResponseRecorder
	writing chan struct{}
	leave   chan struct{}
}

func (u *unread) Write(p []byte) (int, error) {
	u.writing <- struct{}{}
	<-u.leave
	return u.ResponseRecorder.Write(p)
}

// TestAnswersHaveABudget: the answer to a read beyond it becomes a refusal, a write is answered; a client
// that does not read makes no further writes.
func TestAnswersHaveABudget(t *testing.T) {
	const size = 100 << 10
	h := newHall(Config{Memory: 4 * size}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"x"`)
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, strings.Repeat("x", size))
	})
	writing, leave := make(chan struct{}, 99), make(chan struct{})
	done := make(chan struct{}, 9)
	for range 3 {
		go func() {
			r := httptest.NewRequest("GET", "/list", nil)
			r.Header.Set("Authorization", good+"-a")
			h.handler.ServeHTTP(&unread{httptest.NewRecorder(), writing, leave}, r)
			done <- struct{}{}
		}()
		<-writing
	}
	list := func(r *http.Request) { r.URL.Path = "/list" }
	if w := h.send("192.0.2.1", good+"-a", list); w.Code/100 == 2 || w.Header().Get("ETag") != "" || w.Header().Get("Retry-After") == "" {
		t.Errorf("a list beyond the share: %d %v", w.Code, w.Header())
	}
	if w := h.send("192.0.2.1", good+"-b", list); w.Code != 200 || w.Body.Len() != size {
		t.Errorf("another token: %d", w.Code)
	}
	write := h.send("192.0.2.1", good+"-b", func(r *http.Request) { r.Method = "POST" })
	if write.Code != 200 || write.Body.Len() != size {
		t.Errorf("a write: %d", write.Code)
	}
	if w := h.send("192.0.2.1", good+"-a", func(r *http.Request) { r.Method = "POST" }); w.Code != 429 {
		t.Errorf("a write of a client that does not read: %d", w.Code)
	}
	if w := h.send("192.0.2.1", good+"-a", func(r *http.Request) { r.URL.Path = "/public" }); w.Code != 200 {
		t.Errorf("a public route: %d", w.Code)
	}
	close(leave)
	for range 3 {
		<-done
	}
	eventually.Poll(t, func() error {
		if h.answers.used != 0 || len(h.making) > 0 {
			return errors.New("something is held by nobody")
		}
		return nil
	})
}

// TestReaderThatStops is cut off, over HTTP/1.1 and over HTTP/2, where the connection has other streams.
func TestReaderThatStops(t *testing.T) {
	for _, second := range []bool{false, true} {
		h := newHall(Config{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 16<<20)) })
		h.stall = 200 * time.Millisecond
		server := httptest.NewUnstartedServer(h.handler)
		server.EnableHTTP2 = second
		server.StartTLS()
		defer server.Close()
		r, err := http.NewRequest("GET", server.URL+"/list", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", good)
		answer, err := server.Client().Do(r)
		if err != nil || answer.ProtoAtLeast(2, 0) != second {
			t.Fatalf("%v, %v", answer, err)
		}
		eventually.Poll(t, func() error {
			h.answers.mu.Lock()
			defer h.answers.mu.Unlock()
			if h.answers.used != 0 {
				return errors.New("the answer is held still")
			}
			return nil
		})
		if _, err := io.Copy(io.Discard, answer.Body); err == nil {
			t.Errorf("HTTP/2 is %v: the whole answer came", second)
		}
		_ = answer.Body.Close()
		if second { // the connection goes on
			r.URL.Path = "/public"
			r.Method = "HEAD"
			if again, err := server.Client().Do(r); err != nil || again.StatusCode != 200 {
				t.Errorf("another stream: %v", err)
			}
		}
	}
}
