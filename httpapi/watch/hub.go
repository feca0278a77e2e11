package watch

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/subscribe"
	"lightd/httpapi/api"
	"lightd/httpapi/sessions"
)

// ErrCompacted is what Serve returns when not all changes after that revision are known
// any more.
var ErrCompacted = errors.New("changes are no longer known")

// Store is where containers and commits come from.
type Store interface {
	Container(id string) (desired.Container, bool)
	Containers() []desired.Container
	SubscribeCommits(fn func(store.Commit)) (cancel func())
	AtSnapshot(fn func(store.Snapshot))
}

// Config is what a Hub works with. A duration or number that is zero takes its default.
type Config struct {
	Store Store
	// Show captures the state of a container at the moment of the call, and returns what
	// makes the client's view of that.
	Show func(desired.Container) func() api.Container

	// Total bounds the streams (default 2,048). Keep is how many bytes of changes are kept,
	// about, beside the last one of every container (8 MiB).
	Total, Keep int
	// BookmarkEvery is after how much silence a bookmark is sent (30 s), WriteWithin how
	// long a client may take for what is written (30 s).
	BookmarkEvery, WriteWithin time.Duration
	// CheckEvery is how often tokens are checked (2 s).
	CheckEvery time.Duration
}

func (c *Config) setDefaults() {
	for _, n := range []struct {
		value  *int
		absent int
	}{{&c.Total, 2048}, {&c.Keep, 8 << 20}} {
		if *n.value == 0 {
			*n.value = n.absent
		}
	}
	for _, d := range []struct {
		value  *time.Duration
		absent time.Duration
	}{{&c.BookmarkEvery, 30 * time.Second}, {&c.WriteWithin, 30 * time.Second}, {&c.CheckEvery, 2 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.absent
		}
	}
}

// Session is what a client asks for and was granted.
type Session struct {
	// Resume asks for the changes after After alone.
	Resume bool
	After  uint64
	// Match chooses containers by their labels, among those that Allows has: those that the session's
	// token is for.
	Match  func(labels map[string]string) bool
	Allows func(id string, labels map[string]string) bool
	// HidesEnv leaves out the values of env.
	HidesEnv bool
	// Events asks for server-sent events in place of lines.
	Events bool
	// Media is the Content-Type of the answer.
	Media string
	// Valid reports whether the token that opened the stream still holds.
	Valid func() bool
}

// has reports whether a session has what is labelled so.
func (s *Session) has(id string, of labels) bool {
	return of.exist && (s.Allows == nil || s.Allows(id, of.of)) && s.Match(of.of)
}

// Hub holds the log and the streams.
type Hub struct {
	cfg     Config
	log     log
	streams *sessions.Set[*stream]
	cancel  func() // of the subscription to commits
	more    chan struct{}
	gone    sync.WaitGroup
}

// New returns a Hub that gets every commit from now on. Close it.
func New(cfg Config) *Hub {
	cfg.setDefaults()
	h := &Hub{
		cfg: cfg, log: log{most: cfg.Keep}, more: make(chan struct{}, 1),
		streams: sessions.New[*stream](sessions.Limits{Total: cfg.Total, CheckEvery: cfg.CheckEvery}),
	}
	// What is there and what changes after it meet at this one moment.
	cfg.Store.AtSnapshot(func(at store.Snapshot) {
		h.log.seed(at, cfg.Store.Containers(), cfg.Show)
		h.cancel = cfg.Store.SubscribeCommits(h.onCommit)
	})
	h.gone.Go(h.wake)
	return h
}

// Close ends all streams and returns when they are gone.
func (h *Hub) Close() {
	h.cancel()
	h.streams.Close()
	h.gone.Wait()
}

// Serve answers a request with a stream, and returns when it has ended. Its error says why
// nothing was answered: ErrCompacted, or one of package sessions.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, session *Session) error {
	s := newStream(h, w, session)
	if err := h.streams.Enter("", s); err != nil {
		return err
	}
	defer h.streams.Leave("", s)
	defer s.end()
	return s.run(r.Context())
}

// onCommit takes a commit into the log. It is called by the committer, and encodes nothing.
func (h *Hub) onCommit(c store.Commit) {
	states := make([]state, len(c.Touched))
	for i, id := range c.Touched {
		s := state{id: id, revision: c.RevisionOf(i)}
		if s.container, s.exists = h.cfg.Store.Container(id); s.exists {
			s.show = h.cfg.Show(s.container)
		}
		states[i] = s
	}
	h.log.append(c.Revision, states)
	if len(states) > 0 {
		subscribe.Wake(h.more)
	}
}

// pace is about how long it takes to write a change to one stream.
const pace = 20 * time.Microsecond

// wake wakes the streams, outside the committer, and then pauses for about as long as they take to
// write: a stream that has not written yet finds the next change along with the last.
func (h *Hub) wake() {
	for {
		select {
		case <-h.streams.Closing():
			return
		case <-h.more:
		}
		h.log.wake()
		select {
		case <-h.streams.Closing():
			return
		case <-time.After(time.Duration(h.streams.Len()) * pace):
		}
	}
}
