package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightd/httpapi/api"
)

// source is a daemon's watch: containers, and the changes to them since some revision.
type source struct {
	t *testing.T

	mu       sync.Mutex
	now      map[string]api.Container
	at       map[string]uint64 // revision of a container's last change
	changes  []api.WatchEvent
	revision uint64
	kept     uint64        // changes up to here are forgotten
	changed  chan struct{} // closed at every change
	cut      chan struct{} // closed when connections break
	// fault decides how the next request fails; nil for not at all. tear is how many lines a
	// connection lasts, 0 for as long as it likes.
	fault func(*http.Request) (*http.Response, error)
	tear  int
	// asked are the `after` of all requests.
	asked []string
}

func newSource(t *testing.T) *source {
	return &source{t: t, now: map[string]api.Container{}, at: map[string]uint64{}, changed: make(chan struct{}), cut: make(chan struct{})}
}

// change makes a revision: a new state of a container, or its end.
func (s *source) change(kind api.Change, c api.Container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision++
	if kind == api.ChangeDeleted {
		delete(s.now, c.InternalID)
	} else {
		s.now[c.InternalID], s.at[c.InternalID] = c, s.revision
	}
	s.changes = append(s.changes, api.WatchEvent{Type: kind, Revision: s.revision, Container: &c})
	close(s.changed)
	s.changed = make(chan struct{})
}

// compact forgets all changes.
func (s *source) compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.changes = s.revision, nil
}

// sever breaks all connections.
func (s *source) sever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

// list returns what is there, as a stream begins.
func (s *source) list() []api.WatchEvent {
	var out []api.WatchEvent
	for id, c := range s.now {
		out = append(out, api.WatchEvent{Type: api.ChangeAdded, Revision: s.at[id], Container: &c})
	}
	slices.SortFunc(out, func(a, b api.WatchEvent) int { return cmp.Compare(a.Revision, b.Revision) })
	return append(out, api.WatchEvent{Type: api.Bookmark, Revision: s.revision})
}

func (s *source) serve(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		fault := s.fault
		s.fault = nil
		return fault(r)
	}
	after := r.URL.Query().Get("after")
	s.asked = append(s.asked, after)
	if r.URL.Query().Get("watch") != "true" || r.Header.Get("Authorization") != "Bearer "+testToken {
		s.t.Errorf("asked for %s with %v", r.URL, r.Header)
	}
	var first []api.WatchEvent
	from, err := strconv.ParseUint(cmp.Or(after, "0"), 10, 64)
	switch {
	case err != nil:
		return answered(r, 400, `{"error":"bad","code":"invalid"}`)
	case from == 0:
		first, from = s.list(), s.revision
	case from < s.kept || from > s.revision:
		return answered(r, 410, `{"error":"The changes after that revision are no longer known","code":"compacted"}`)
	}
	sent(r)
	reader, writer := io.Pipe()
	go s.stream(r.Context(), writer, first, from, s.tear, s.cut)
	s.tear = 0
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: reader, Request: r}, nil
}

// stream writes lines until the connection ends, torn in the middle of one after so many.
func (s *source) stream(ctx context.Context, w *io.PipeWriter, first []api.WatchEvent, from uint64, tear int, cut <-chan struct{}) {
	defer w.CloseWithError(errReset)
	lines := 0
	write := func(e api.WatchEvent) bool {
		data, err := json.Marshal(e)
		if err != nil {
			s.t.Error(err)
		}
		data = append(data, '\n')
		if lines++; lines == tear {
			data = data[:len(data)/2]
		}
		_, err = w.Write(data)
		return err == nil && lines != tear
	}
	for {
		s.mu.Lock()
		changed := s.changed
		for _, e := range s.changes {
			if e.Revision > from {
				first, from = append(first, e), e.Revision
			}
		}
		s.mu.Unlock()
		for _, e := range first {
			if !write(e) {
				return
			}
		}
		first = nil
		quiet := time.NewTimer(30 * time.Second)
		select {
		case <-changed:
		case <-quiet.C:
			first = append(first, api.WatchEvent{Type: api.Bookmark, Revision: from})
		case <-cut:
			return
		case <-ctx.Done():
			return
		}
		quiet.Stop()
	}
}

// replica is what a consumer makes of a watch. It takes offence at what makes no sense.
type replica struct {
	t         *testing.T
	now       map[string]api.Container
	bookmarks int
	log       []string
}

func (p *replica) take(e api.WatchEvent) {
	word := string(e.Type)
	if e.Container != nil {
		word += " " + e.Container.InternalID
		old, known := p.now[e.Container.InternalID]
		switch {
		case known == (e.Type == api.ChangeAdded):
			p.t.Errorf("%s at revision %d, known: %v", word, e.Revision, known)
		case e.Type == api.ChangeModified && old.CreatedAt != e.Container.CreatedAt:
			p.t.Errorf("%s: another container, and nothing was told of the end of the first", word)
		}
		if e.Type == api.ChangeDeleted {
			delete(p.now, e.Container.InternalID)
		} else {
			p.now[e.Container.InternalID] = *e.Container
		}
	} else if e.Type == api.Bookmark {
		p.bookmarks++
	}
	p.log = append(p.log, word)
}

// watching starts a consumer; done is closed at its end.
func (s *source) watch(ctx context.Context, w Watch, p *replica, tune ...func(*Config)) (end *error, done chan struct{}) {
	c := faked(s.t, s.serve, tune...)
	end, done = new(error), make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range c.Watch(ctx, w) {
			if err != nil {
				*end = err
				return
			}
			p.take(e)
		}
		s.t.Error("the watch ended without an error")
	}()
	return end, done
}

func container(id string, born int64, generation int64) api.Container {
	return api.Container{InternalID: id, CreatedAt: born, Generation: generation}
}

// TestWatchIsAFaithfulCopy lets containers come, change and go while connections break,
// lists are torn, histories are forgotten and the daemon refuses: what the consumer was told
// makes sense at every step, and in the end it has what is there.
func TestWatchIsAFaithfulCopy(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			s, p := newSource(t), &replica{t: t, now: map[string]api.Container{}}
			ctx, cancel := context.WithCancel(t.Context())
			end, done := s.watch(ctx, Watch{}, p, func(cfg *Config) { cfg.Patience = Forever })
			for step := range 300 {
				s.disturb(random, int64(step))
				time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
			}
			time.Sleep(time.Minute) // enough for any pause
			synctest.Wait()
			if !maps.EqualFunc(s.now, p.now, func(a, b api.Container) bool {
				return a.CreatedAt == b.CreatedAt && a.Generation == b.Generation
			}) {
				t.Errorf("seed %d: there is\n%v\nthe copy has\n%v", seed, s.now, p.now)
			}
			cancel()
			<-done
			if !errors.Is(*end, context.Canceled) {
				t.Errorf("ended with %v", *end)
			}
		})
	}
}

// disturb does one of all the things that can happen.
func (s *source) disturb(random *rand.Rand, step int64) {
	id := fmt.Sprintf("c%d", random.IntN(8))
	switch c, there := s.now[id]; random.IntN(12) {
	default:
		if there {
			c.Generation++
			s.change(api.ChangeModified, c)
		} else {
			s.change(api.ChangeAdded, container(id, step, 1))
		}
	case 0, 1:
		if there {
			s.change(api.ChangeDeleted, c)
		}
	case 2:
		s.sever()
	case 3:
		s.compact()
		s.sever()
	case 4:
		s.mu.Lock()
		s.fault = []transport{failures["refused"], failures["503"], failures["429"], failures["reset"]}[random.IntN(4)]
		s.mu.Unlock()
	case 5:
		s.mu.Lock()
		s.tear = 1 + random.IntN(6)
		s.mu.Unlock()
		s.sever()
	case 6: // away for long enough that much happens
		s.mu.Lock()
		s.fault = failures["429"]
		s.mu.Unlock()
		s.sever()
		if there {
			s.change(api.ChangeDeleted, c)
		}
		s.change(api.ChangeAdded, container(id, step, 1))
		s.compact()
	}
}

// TestWatchAfterARevision goes on from where a listing ended, and does not make up what it
// cannot know.
func TestWatchAfterARevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newSource(t), &replica{t: t, now: map[string]api.Container{}}
		s.change(api.ChangeAdded, container("old", 1, 1))
		end, done := s.watch(t.Context(), Watch{After: s.revision}, p)
		synctest.Wait()
		s.change(api.ChangeAdded, container("new", 2, 1))
		synctest.Wait()
		s.sever()
		time.Sleep(time.Second)
		synctest.Wait()
		s.change(api.ChangeModified, container("new", 2, 2))
		synctest.Wait()
		if got := fmt.Sprint(p.log, s.asked); got != "[ADDED new MODIFIED new] [1 2]" {
			t.Errorf("told and asked %s", got)
		}
		s.change(api.ChangeModified, container("new", 2, 3))
		s.change(api.ChangeModified, container("new", 2, 4))
		synctest.Wait()
		s.mu.Lock()
		s.revision, s.kept, s.changes = s.revision+5, s.revision+5, nil
		s.mu.Unlock()
		s.sever()
		<-done
		if !errors.Is(*end, ErrGone) {
			t.Errorf("ended with %v, which is not ErrGone", *end)
		}
	})
}

// TestWatchTellsTheDifference: after a 410 only what differs is told, and in which way.
func TestWatchTellsTheDifference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newSource(t), &replica{t: t, now: map[string]api.Container{}}
		for _, id := range []string{"same", "changed", "gone", "again"} {
			s.change(api.ChangeAdded, container(id, 1, 1))
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, done := s.watch(ctx, Watch{}, p)
		synctest.Wait()
		p.log = nil
		s.mu.Lock()
		s.fault = failures["refused"]
		s.mu.Unlock()
		s.sever()
		s.change(api.ChangeModified, container("changed", 1, 2))
		s.change(api.ChangeDeleted, container("gone", 1, 1))
		s.change(api.ChangeDeleted, container("again", 1, 1))
		s.change(api.ChangeAdded, container("again", 9, 1))
		s.change(api.ChangeAdded, container("new", 9, 1))
		s.compact()
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := strings.Join(p.log, ", "), "MODIFIED changed, DELETED again, ADDED again, ADDED new, DELETED gone, BOOKMARK"; got != want {
			t.Errorf("told\n%s, want\n%s", got, want)
		}
		if got := fmt.Sprintf("%q", s.asked); got != `["" "4" ""]` {
			t.Errorf("asked for what comes after %s", got)
		}
		cancel()
		<-done
	})
}

// TestWatchGivesUp tells when a stream is over for good.
func TestWatchGivesUp(t *testing.T) {
	forbidding := func(r *http.Request) (*http.Response, error) {
		return answered(r, 401, `{"error":"Unauthorized","code":"unauthorized"}`)
	}
	cases := []struct {
		name  string
		serve transport
		want  error
		after time.Duration
	}{
		{"a token that is not accepted", forbidding, ErrUnauthorized, 0},
		{"a selector that makes no sense", func(r *http.Request) (*http.Response, error) {
			return answered(r, 400, `{"error":"The request is not valid","code":"invalid"}`)
		}, ErrInvalid, 0},
		{"a list that is gone", func(r *http.Request) (*http.Response, error) {
			return answered(r, 410, `{"error":"gone","code":"compacted"}`)
		}, ErrGone, 0},
		{"a daemon that stays away", failures["refused"], ErrUnreachable, defaultPatience},
		{"what is no JSON", func(r *http.Request) (*http.Response, error) { return answered(r, 200, "<html>") }, errNotJSON, 0},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var last error
				rounds := 0
				for _, err := range faked(t, k.serve).Watch(t.Context(), Watch{}) {
					last = err
					rounds++
				}
				if !errors.Is(last, k.want) && !(k.want == errNotJSON && isSyntax(last)) || rounds != 1 {
					t.Errorf("%d rounds, the last one %v, want %v", rounds, last, k.want)
				}
				if took := time.Since(began); took > k.after || took < k.after/2 {
					t.Errorf("gave up after %s", took)
				}
			})
		})
	}
}

var errNotJSON = errors.New("not JSON")

func isSyntax(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax)
}

// TestSilentWatch: a stream without a sign of life is opened anew; a loop that takes its
// time is no reason to.
func TestSilentWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := 0
		c := faked(t, func(r *http.Request) (*http.Response, error) {
			opened++
			sent(r)
			reader, writer := io.Pipe()
			go func() {
				fmt.Fprintln(writer, `{"type":"BOOKMARK","revision":7}`)
				<-r.Context().Done()
				writer.CloseWithError(r.Context().Err())
			}()
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: reader, Request: r}, nil
		})
		began := time.Now()
		for _, err := range c.Watch(t.Context(), Watch{}) {
			if err != nil {
				t.Fatal(err)
			}
			if opened == 1 {
				time.Sleep(10 * silence)
				began = time.Now()
			}
			if opened == 2 {
				break
			}
		}
		if took := time.Since(began); took < silence || took > silence+time.Second {
			t.Errorf("opened anew after %s", took)
		}
	})
}

// TestLeavingALoop ends the connection at once.
func TestLeavingALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t)
		s.change(api.ChangeAdded, container("web", 1, 1))
		ended := make(chan struct{})
		c := faked(t, func(r *http.Request) (*http.Response, error) {
			context.AfterFunc(r.Context(), func() { close(ended) })
			return s.serve(r)
		})
		for range c.Watch(t.Context(), Watch{Selector: "a=b"}) {
			break
		}
		<-ended
	})
}
