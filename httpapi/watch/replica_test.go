package watch

import (
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
)

// replica is what a client holds by what it was told.
type replica struct {
	at   uint64
	held map[string]int64
	// whole is true once the list was read to its end.
	whole bool
}

// take takes one event, and complains of what cannot be.
func (p *replica) take(t *testing.T, e api.WatchEvent) {
	if e.Type == api.Bookmark {
		if e.Revision < p.at {
			t.Errorf("%s after revision %d", short(e), p.at)
		}
		p.at, p.whole = e.Revision, true
		return
	}
	id := e.Container.InternalID
	_, known := p.held[id]
	if e.Revision <= p.at || known != (e.Type != api.ChangeAdded) {
		t.Errorf("%s after revision %d, known: %v", short(e), p.at, known)
	}
	p.at = e.Revision
	p.held[id] = e.Container.Generation
	if e.Type == api.ChangeDeleted {
		delete(p.held, id)
	}
}

// TestNothingIsMissedOrDoubled: readers with and without a selector, who leave and resume as
// they like, hold in the end what is there.
func TestNothingIsMissedOrDoubled(t *testing.T) {
	m := newMemory("a", "b")
	h := New(Config{Store: m, Show: m.show, Keep: 64 << 10, BookmarkEvery: time.Millisecond})
	defer h.Close()
	even := func(l map[string]string) bool { return l["n"] == "even" }
	const last = "last"
	var readers sync.WaitGroup
	var replicas [8]replica
	var resumed, compacted atomic.Int64
	left, back := make(chan struct{}), make(chan struct{})
	away := sync.OnceFunc(func() { close(left); <-back })
	for i := range replicas {
		p, match := &replicas[i], everything
		if i%2 == 1 {
			match = even
		}
		readers.Go(func() {
			for done := false; !done; {
				if i == 0 && p.whole {
					away() // one at least comes too late
				}
				if p.whole {
					resumed.Add(1)
				}
				var err error
				if done, err = p.read(t, h, match, last); errors.Is(err, ErrCompacted) {
					p.whole = false
					compacted.Add(1)
				}
			}
		})
	}
	for n := range 3000 {
		switch n {
		case 500:
			<-left
		case 2000:
			close(back)
		}
		m.changeAtRandom()
		if n%100 == 0 {
			time.Sleep(time.Millisecond) // lets the readers come along, some of the time
		}
	}
	m.put(last, map[string]string{"n": "even"})
	readers.Wait()
	if resumed.Load() == 0 || compacted.Load() == 0 {
		t.Errorf("%d resumed, %d were too late: this test tries nothing", resumed.Load(), compacted.Load())
	}
	for i, p := range replicas {
		want := map[string]int64{}
		for id, c := range m.containers {
			if i%2 == 0 || even(c.Labels) {
				want[id] = c.Generation
			}
		}
		if !maps.Equal(p.held, want) {
			t.Errorf("reader %d holds %v, want %v", i, p.held, want)
		}
	}
}

// read watches from where the replica is, for some lines, and reports whether it has the container
// last, and how the watch ended.
func (p *replica) read(t *testing.T, h *Hub, match func(map[string]string) bool, last string) (done bool, err error) {
	if !p.whole {
		*p = replica{held: map[string]int64{}}
	}
	r := open(t, h, Session{Resume: p.whole, After: p.at, Match: match})
	for range 1 + rand.N(200) {
		line := r.line()
		if line == "" {
			break
		}
		p.take(t, r.event(line))
		if _, done = p.held[last]; done {
			break
		}
	}
	return done, r.close()
}

// changeAtRandom changes one container, or several in one commit.
func (m *memory) changeAtRandom() {
	id := string(rune('a' + rand.N(12)))
	labels := map[string]string{"n": "even"}
	if rand.N(2) == 0 {
		labels["n"] = "odd"
	}
	switch rand.N(5) {
	case 0:
		m.remove(id)
	case 1:
		m.commit(map[string]*desired.Container{id: {Spec: desired.Spec{Labels: labels}}, "z": {}})
	default:
		m.put(id, labels)
	}
}
