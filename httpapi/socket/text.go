package socket

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"lightd/httpapi/api"
	"lightd/httpapi/sessions"
	"lightd/observed/console"
)

// closeTimeout is how long a reader may take for what is being written when the end comes.
const closeTimeout = time.Second

// text is a client that is sent plain text, and says nothing. The goroutine of its request
// serves it.
type text struct {
	*client
	w        http.ResponseWriter
	control  *http.ResponseController
	live     bool   // what is written is to be seen at once
	begun    bool   // the answer has
	position string // behind what was written; empty when it is not known
	textWriter

	mu     sync.Mutex
	ending bool // guarded by mu
}

// ServeText answers a request with what a container has printed, from Session.From on, and
// with follow with what it prints, until the client goes, the container is deleted, the
// token is no longer valid or the Hub closes. It counts as a connection. Gaps are told in
// lines of their own. An error says that nothing was answered, and leaves that to the
// caller; what fails later cuts the answer short, by a panic with http.ErrAbortHandler.
func (h *Hub) ServeText(w http.ResponseWriter, r *http.Request, s Session, follow bool) error {
	c, err := h.admit(s)
	if err != nil {
		return err
	}
	defer h.clients.Leave(s.ID, c)
	c.begin()
	if !h.cfg.Exists(s.ID) {
		return ErrGone
	}
	t := &text{client: c, w: w, control: http.NewResponseController(w), live: follow}
	if !s.From.Since.IsZero() {
		t.position = s.From.Since.String()
	}
	ctx, cancel := context.WithCancel(r.Context())
	var watched sync.WaitGroup
	defer watched.Wait()
	defer cancel()
	watched.Go(func() {
		select {
		case <-c.done:
			t.flushNow()
			cancel()
		case <-ctx.Done():
		}
	})
	if follow {
		err = t.follow(ctx)
	} else {
		err = h.cfg.Console.History(ctx, s.ID, s.From, t.send)
	}
	switch {
	case err == nil:
		err = t.end()
	case !t.begun:
		return err
	}
	if err != nil {
		_ = t.control.Flush() // what there is; the reader may have gone
		panic(http.ErrAbortHandler)
	}
	return nil
}

// follow sends what is printed until there is a reason to end.
func (t *text) follow(ctx context.Context) error {
	out := t.hub.cfg.Console.Subscribe(t.session.ID, t.session.From)
	defer out.Close()
	if err := t.open(); err != nil {
		return err
	}
	for {
		select {
		case <-t.done:
			return nil
		case <-ctx.Done():
			select {
			case <-t.done:
				return nil
			default:
				return ctx.Err()
			}
		case <-t.news:
			if err := t.events(nothing); err != nil {
				return err
			}
		case chunk, open := <-out.C():
			if !open {
				t.Stop(sessions.ErrClosed)
				return nil
			}
			if err := t.send(chunk); err != nil {
				return err
			}
		}
	}
}

// open begins the answer. The server's limits are for answers that have an end.
func (t *text) open() error {
	t.begun = true
	h := t.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // a proxy that collects answers would keep it all
	h.Set("Trailer", api.TrailerPosition+", "+api.TrailerEnd)
	if err := t.control.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("lift the limit of reading: %w", err)
	}
	t.extendDeadline()
	t.w.WriteHeader(http.StatusOK)
	if !t.live {
		return nil
	}
	return t.control.Flush()
}

// send writes a piece of output, and what is to be said of it.
func (t *text) send(c console.Chunk) error {
	if !t.begun {
		if err := t.open(); err != nil {
			return err
		}
	}
	t.buf = t.buf[:0]
	t.add(c)
	t.extendDeadline()
	if _, err := t.w.Write(t.buf); err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	t.position = c.Position
	if !t.live {
		return nil
	}
	return t.control.Flush()
}

// end completes the answer.
func (t *text) end() error {
	if !t.begun {
		if err := t.open(); err != nil {
			return err
		}
	}
	select {
	case <-t.done:
		t.w.Header().Set(api.TrailerEnd, t.reason)
	default:
	}
	if t.position != "" {
		t.w.Header().Set(api.TrailerPosition, t.position)
	}
	return nil
}

// extendDeadline gives the reader time for what is written next.
func (t *text) extendDeadline() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ending {
		_ = t.control.SetWriteDeadline(time.Now().Add(t.hub.cfg.WriteWithin))
	}
}

// flushNow ends a write that the reader does not take.
func (t *text) flushNow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ending = true
	_ = t.control.SetWriteDeadline(time.Now().Add(closeTimeout))
}

// textWriter is output as plain text, with what is to be said of it.
type textWriter struct {
	buf []byte
	cut bool // the last line has no end yet
}

func (t *textWriter) add(c console.Chunk) {
	if c.Lost > 0 {
		t.writeNotice(skipped(c.Lost))
	}
	if c.Notice != "" {
		t.writeNotice(c.Notice)
	}
	t.buf = append(t.buf, c.Text...)
	if n := len(t.buf); n > 0 {
		t.cut = t.buf[n-1] != '\n'
	}
}

// writeNotice adds a line of the daemon's own.
func (t *textWriter) writeNotice(about string) {
	if t.cut {
		t.buf = append(t.buf, '\n')
	}
	t.cut = false
	t.buf = fmt.Appendf(t.buf, "[lightd: %s]\n", about)
}
