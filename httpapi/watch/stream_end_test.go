package watch

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired"
	"lightd/httpapi/sessions"
)

// TestSlowReaderIsEnded, slows nobody, and can go on as far as the log reaches.
func TestSlowReaderIsEnded(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{Keep: 20 << 10}, func(t *testing.T, h *Hub) {
		slow, quick := open(t, h, Session{}), open(t, h, Session{})
		for _, r := range []*reader{slow, quick} {
			r.want("ADDED 1 a/1", "BOOKMARK 1")
		}
		for n := range 40 {
			m.put("a", nil)
			quick.want(fmt.Sprintf("MODIFIED %d a/%d", n+2, n+2))
		}
		// It finds out with the next thing that it reads.
		last := ""
		for line := slow.next(); line != "end"; line = slow.next() {
			last = line
		}
		if !strings.HasPrefix(last, "BOOKMARK ") {
			t.Errorf("ended with %q", last)
		}
		if err := <-slow.ended; err != nil {
			t.Error(err)
		}
		_ = quick.close()
	})
}

// TestReaderThatDoesNotRead is ended after half a minute.
func TestReaderThatDoesNotRead(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{})
		began := time.Now()
		if err := <-r.ended; err != nil || time.Since(began) != 30*time.Second {
			t.Errorf("ended with %v after %s", err, time.Since(began))
		}
	})
}

func TestEndsWithItsToken(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		var revoked atomic.Bool
		r := open(t, h, Session{Valid: func() bool { return !revoked.Load() }})
		deaf := open(t, h, Session{Valid: func() bool { return !revoked.Load() }})
		r.want("ADDED 1 a/1", "BOOKMARK 1")
		began := time.Now()
		revoked.Store(true)
		r.want("BOOKMARK 1", "end")
		<-deaf.ended
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("ended after %s", took)
		}
	})
}

func TestEndsWithTheHub(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r, deaf := open(t, h, Session{}), open(t, h, Session{})
		r.want("ADDED 1 a/1", "BOOKMARK 1")
		began := time.Now()
		go h.Close()
		r.want("BOOKMARK 1", "end")
		<-deaf.ended
		h.Close()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("ended after %s", took)
		}
		if late := open(t, h, Session{}); !errors.Is(<-late.ended, sessions.ErrClosed) {
			t.Error("a stream of a hub that is closed")
		}
	})
}

func TestTooMany(t *testing.T) {
	m := newMemory()
	bubble(t, m, Config{Total: 1}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{})
		r.want("BOOKMARK 0")
		if err := open(t, h, Session{}).close(); !errors.Is(err, sessions.ErrTooMany) {
			t.Errorf("got %v", err)
		}
		_ = r.close()
		again := open(t, h, Session{})
		again.want("BOOKMARK 0")
		_ = again.close()
	})
}

// TestAChangeOfAllCutsNobodyOff: who has come to the present can read all of it.
func TestAChangeOfAllCutsNobodyOff(t *testing.T) {
	m := newMemory()
	all := map[string]*desired.Container{}
	for i := range 100 {
		all[fmt.Sprint(1000+i)] = &desired.Container{}
	}
	m.commit(all)
	bubble(t, m, Config{Keep: 1}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{Resume: true, After: 100})
		synctest.Wait()
		m.commit(all)
		for i := range 100 {
			r.want(fmt.Sprintf("MODIFIED %d %d/2", 101+i, 1000+i))
		}
		_ = r.close()
	})
}

// TestClientThatLeaves over a real connection makes room for another.
func TestClientThatLeaves(t *testing.T) {
	m := newMemory("a")
	h := New(Config{Store: m, Show: m.show, Total: 1})
	defer h.Close()
	left := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.Serve(w, r, &Session{Match: everything, Valid: func() bool { return true }}); err != nil {
			t.Error(err)
		}
		left <- struct{}{}
	}))
	defer server.Close()
	for range 3 {
		response, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil || !strings.Contains(line, "ADDED") {
			t.Errorf("got %q, %v", line, err)
		}
		_ = response.Body.Close()
		<-left
	}
}
