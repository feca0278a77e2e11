package watch

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired"
	"lightd/desired/store"
)

func TestWatch(t *testing.T) {
	m := newMemory("a", "b", "c")
	m.put("a", nil)
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{Media: "x/y"})
		r.want("ADDED 2 b/1", "ADDED 3 c/1", "ADDED 4 a/2", "BOOKMARK 4")
		if r.header.Get("Content-Type") != "x/y" || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("header %v", r.header)
		}
		m.put("b", nil)
		m.put("d", nil)
		m.remove("a")
		r.want("MODIFIED 5 b/2", "ADDED 6 d/1", "DELETED 7 a/2")
		m.commit(map[string]*desired.Container{"b": {}, "c": {}, "e": {}, "gone": nil})
		r.want("MODIFIED 8 b/3", "MODIFIED 9 c/2", "ADDED 10 e/1")
		if err := r.close(); err != nil {
			t.Error(err)
		}
		// A client that read half of the list goes on with the rest.
		half := open(t, h, Session{})
		half.want("ADDED 6 d/1", "ADDED 8 b/3")
		_ = half.close()
		rest := open(t, h, Session{Resume: true, After: 8})
		rest.want("MODIFIED 9 c/2", "ADDED 10 e/1")
		_ = rest.close()
	})
}

func TestResume(t *testing.T) {
	m := newMemory("a", "b")
	bubble(t, m, Config{Keep: 6 << 10}, func(t *testing.T, h *Hub) { // 3 changes, and 2 for what is there
		at := func(revision uint64) error {
			r := open(t, h, Session{Resume: true, After: revision})
			return r.close()
		}
		// Nothing has changed since the beginning; what was before is not known.
		for revision, want := range map[uint64]error{1: ErrCompacted, 2: nil, 3: ErrCompacted} {
			if err := at(revision); !errors.Is(err, want) {
				t.Errorf("after %d: %v, want %v", revision, err, want)
			}
		}
		for range 8 {
			m.put("a", nil)
		}
		for revision, want := range map[uint64]error{2: ErrCompacted, 4: ErrCompacted, 5: nil, 10: nil, 11: ErrCompacted} {
			if err := at(revision); !errors.Is(err, want) {
				t.Errorf("after %d: %v, want %v", revision, err, want)
			}
		}
		r := open(t, h, Session{Resume: true, After: 8})
		r.want("MODIFIED 9 a/8", "MODIFIED 10 a/9")
		m.commit(nil) // what changes no container has a revision too
		m.put("c", nil)
		r.want("ADDED 12 c/1")
		_ = r.close()
		if h.log.weight > h.log.most+h.log.all {
			t.Errorf("%d bytes are kept, may be %d", h.log.weight, h.log.most+h.log.all)
		}
		m.remove("a")
		m.remove("c")
		if left, _ := m.Container("b"); h.log.all != approxSize(left) {
			t.Errorf("what is there weighs %d, is said to weigh %d", approxSize(left), h.log.all)
		}
	})
}

func TestSelector(t *testing.T) {
	m := newMemory("x")
	m.put("in", map[string]string{"game": "chess"})
	bubble(t, m, Config{BookmarkEvery: time.Minute}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{Match: func(l map[string]string) bool { return l["game"] == "chess" }})
		r.want("ADDED 2 in/1", "BOOKMARK 2")
		m.put("x", map[string]string{"game": "go"})
		m.put("x", map[string]string{"game": "chess"})
		m.put("in", map[string]string{"game": "chess", "more": "1"})
		r.want("ADDED 4 x/3", "MODIFIED 5 in/2")
		m.put("in", map[string]string{"game": "go"})
		m.put("in", nil)
		m.remove("in")
		m.remove("x")
		r.want("DELETED 6 in/3", "DELETED 9 x/3")
		// What others see is silence to this one.
		for range 2 {
			m.put("y", nil)
			time.Sleep(20 * time.Second)
		}
		r.want("BOOKMARK 11")
		_ = r.close()
	})
}

func TestServerSentEvents(t *testing.T) {
	m := newMemory("a")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{Events: true})
		for _, want := range []string{"id: 1", "event: ADDED", `data: {"type":"ADDED","revision":1,"container":{"internal_id":"a"`, "",
			"id: 1", "event: BOOKMARK", `data: {"type":"BOOKMARK","revision":1}`, ""} {
			if got := r.line(); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		_ = r.close()
	})
}

func TestBookmarks(t *testing.T) {
	m := newMemory()
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		r := open(t, h, Session{})
		r.want("BOOKMARK 0")
		began := time.Now()
		synctest.Wait() // the stream is silent already
		m.commit(nil)   // what changes no container wakes no stream
		r.want("BOOKMARK 1")
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("a bookmark after %s", took)
		}
		time.Sleep(20 * time.Second)
		m.put("a", nil)
		r.want("ADDED 2 a/1")
		r.want("BOOKMARK 2")
		if took := time.Since(began); took != 80*time.Second {
			t.Errorf("a bookmark after %s", took)
		}
		_ = r.close()
	})
}

// TestEncodesOnce however many read, and not at all when nobody does.
func TestEncodesOnce(t *testing.T) {
	m := newMemory("a", "b", "c")
	bubble(t, m, Config{}, func(t *testing.T, h *Hub) {
		m.put("a", nil)
		if n := m.shown.Load(); n != 0 {
			t.Errorf("encoded %d times for nobody", n)
		}
		var readers []*reader
		for range 100 {
			r := open(t, h, Session{})
			readers = append(readers, r)
			r.want("ADDED 2 b/1")
		}
		for _, r := range readers {
			r.want("ADDED 3 c/1", "ADDED 4 a/2", "BOOKMARK 4")
		}
		m.put("b", nil)
		for _, r := range readers {
			r.want("MODIFIED 5 b/2")
		}
		if n := m.shown.Load(); n != 4 {
			t.Errorf("encoded %d times, want 4", n)
		}
		for _, r := range readers {
			_ = r.close()
		}
	})
}

// TestListFollowsWhatIsPublished: a stream that begins while a commit is being published, of which
// another answer may have told already, lists what that commit wrote.
func TestListFollowsWhatIsPublished(t *testing.T) {
	m := newMemory("a")
	h := New(Config{Store: m, Show: m.show})
	defer h.Close()
	m.stilled = make(chan struct{}, 1)
	m.mu.Lock()
	c := m.containers["a"]
	m.revision++
	c.Generation, c.Revision = 2, m.revision
	m.containers["a"] = c
	r := open(t, h, Session{})
	first := make(chan string, 1)
	go func() { first <- r.next() }()
	select {
	case <-m.stilled:
	case line := <-first:
		t.Errorf("listed %q while the commit was being published", line)
		first <- line
	}
	m.hear(store.Commit{Revision: m.revision, Touched: []string{"a"}})
	m.mu.Unlock()
	if got := <-first; got != "ADDED 2 a/2" {
		t.Errorf("listed %q", got)
	}
	if err := r.close(); err != nil {
		t.Error(err)
	}
}
