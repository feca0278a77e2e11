package watch

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"lightd/desired/store"
	"lightd/httpapi/api"
)

const (
	// page is how many changes a stream takes out of the log at a time.
	page = 16
	// farewell is how long the last bookmark of a stream may take.
	farewell = time.Second
)

// stream is one client. The goroutine of its request serves it.
type stream struct {
	hub     *Hub
	session *Session
	w       http.ResponseWriter
	control *http.ResponseController
	// at is the revision that the client has come to.
	at      uint64
	scratch []byte

	mu       sync.Mutex
	stopping bool          // guarded by mu
	over     bool          // guarded by mu; the connection is not used after it
	stopped  chan struct{} // closed when stopping
}

func newStream(h *Hub, w http.ResponseWriter, session *Session) *stream {
	return &stream{hub: h, session: session, w: w, control: http.NewResponseController(w), stopped: make(chan struct{})}
}

// Valid reports whether the token that opened the stream still holds.
func (s *stream) Valid() bool { return s.session.Valid() }

// Stop makes the stream end, also one whose client does not read.
func (s *stream) Stop(error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || s.over {
		return
	}
	s.stopping = true
	close(s.stopped)
	_ = s.control.SetWriteDeadline(time.Now().Add(farewell))
}

// end marks the request as served: its connection belongs to the server again.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// extendDeadline gives the client time for what is written next.
func (s *stream) extendDeadline() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		_ = s.control.SetWriteDeadline(time.Now().Add(s.hub.cfg.WriteWithin))
	}
}

// run serves until the client has gone, or the stream is to end.
func (s *stream) run(ctx context.Context) error {
	l := &s.hub.log
	var list []*change
	if s.session.Resume {
		s.at = s.session.After
		if _, _, _, ok := l.after(s.at, nil); !ok {
			return ErrCompacted
		}
	} else {
		// A commit that is being published is in the log afterwards: a client that got it in
		// another answer finds it in the list.
		s.hub.cfg.Store.AtSnapshot(func(store.Snapshot) { list, s.at = l.list() })
	}
	err := s.open()
	if err == nil && !s.session.Resume {
		err = s.sendList(ctx, list)
	}
	if err == nil {
		_ = s.follow(ctx) // its error means that the client has gone or does not read
	}
	return nil
}

// open answers the request. The server's limits are for answers that have an end.
func (s *stream) open() error {
	h := s.w.Header()
	h.Set("Content-Type", s.session.Media)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // a proxy that collects answers would keep it all
	if err := s.control.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("lift the limit of reading: %w", err)
	}
	s.extendDeadline()
	s.w.WriteHeader(http.StatusOK)
	return s.control.Flush()
}

// sendList sends what is there, and the bookmark behind it.
func (s *stream) sendList(ctx context.Context, list []*change) error {
	for i, c := range list {
		select {
		case <-s.stopped:
			// No bookmark: it would end the list.
			return context.Canceled
		default:
		}
		if i%page == 0 {
			s.extendDeadline()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !s.session.has(c.id, c.now) {
			continue
		}
		if err := s.send(api.ChangeAdded, c.revision, c.body.json(s.session.HidesEnv)); err != nil {
			return err
		}
	}
	return s.bookmark()
}

// follow sends what changes, and bookmarks where nothing does.
func (s *stream) follow(ctx context.Context) error {
	room := make([]*change, page)
	silence := time.NewTimer(s.hub.cfg.BookmarkEvery)
	defer silence.Stop()
	due := false // a bookmark, once the log has been read to its end
	for {
		found, head, news, ok := s.hub.log.after(s.at, room)
		if !ok {
			return s.bookmark() // the log no longer has what comes next
		}
		if len(found) > 0 {
			sent, err := s.sendChanges(found)
			if err != nil {
				return err
			}
			if sent {
				silence.Reset(s.hub.cfg.BookmarkEvery)
				due = false
			}
			clear(found)
			news = already
		} else {
			s.at = head
			if due {
				if err := s.bookmark(); err != nil {
					return err
				}
				silence.Reset(s.hub.cfg.BookmarkEvery)
				due = false
			}
		}
		select {
		case <-s.stopped:
			return s.bookmark()
		default:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopped:
			return s.bookmark()
		case <-silence.C:
			due = true
		case <-news:
		}
	}
}

// already is closed: there may be more now.
var already = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// sendChanges sends those changes that the client selected, and reports whether there were any.
func (s *stream) sendChanges(found []*change) (sent bool, err error) {
	s.extendDeadline()
	for _, c := range found {
		kind := c.kind(s.session)
		s.at = c.revision
		if kind == "" {
			continue
		}
		sent = true
		if err := s.send(kind, c.revision, c.shownTo(s.session)); err != nil {
			return true, err
		}
	}
	if sent {
		err = s.control.Flush()
	}
	return sent, err
}

// bookmark sends the revision that the client has come to, and flushes what was written.
func (s *stream) bookmark() error {
	s.extendDeadline()
	if err := s.send(api.Bookmark, s.at, nil); err != nil {
		return err
	}
	return s.control.Flush()
}

// send writes one line, or one event.
func (s *stream) send(kind api.Change, revision uint64, container []byte) error {
	b := s.scratch[:0]
	if s.session.Events {
		b = append(b, "id: "...)
		b = strconv.AppendUint(b, revision, 10)
		b = append(append(append(b, "\nevent: "...), kind...), "\ndata: "...)
	}
	b = append(append(append(b, `{"type":"`...), kind...), `","revision":`...)
	b = strconv.AppendUint(b, revision, 10)
	end := "}\n"
	if s.session.Events {
		end = "}\n\n"
	}
	if container != nil {
		b = append(b, `,"container":`...)
		if _, err := s.w.Write(b); err != nil {
			return err
		}
		if _, err := s.w.Write(container); err != nil {
			return err
		}
		b = b[:0]
	}
	b = append(b, end...)
	s.scratch = b
	_, err := s.w.Write(b)
	return err
}
