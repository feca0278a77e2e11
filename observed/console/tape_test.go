package console

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"lightd/desired/subscribe"
	"lightd/observed"
	"lightd/observed/streams"
)

// tape is a container as Docker has it: its output goes to whoever is attached and, line by
// line, into a log that is rotated. The two differ in time.
type tape struct {
	tty bool
	// streamLag and logLag are how late output comes to the streams and into the log.
	streamLag, logLag func() time.Duration
	// attachTime is how long a stream takes to be opened.
	attachTime time.Duration
	// keep is how many bytes of log are kept; 0 is all.
	keep int

	mu       sync.Mutex
	log      []logged
	partial  [streams.Outputs][]byte
	stamp    [streams.Outputs]time.Time
	split    [streams.Outputs]bool // the last entry was a part of a line
	written  time.Time             // when the last entry is in the log
	attached []*tapeStream
	refuse   bool
	logErr   error
	reads    int
}

// entry is what Docker writes into its log at once.
type entry struct {
	out  int
	at   time.Time
	text []byte
}

type logged struct {
	entry
	seen time.Time // from when on a reader finds it
}

// tapeStream is one attached stream, which holds any amount.
type tapeStream struct {
	ctx context.Context

	mu   sync.Mutex
	buf  []byte
	over bool
	news chan struct{}
	due  time.Time // of what was sent last
}

func (s *tapeStream) Read(p []byte) (int, error) {
	for {
		s.mu.Lock()
		if len(s.buf) > 0 {
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			s.mu.Unlock()
			return n, nil
		}
		over := s.over
		s.mu.Unlock()
		if over {
			return 0, io.EOF
		}
		select {
		case <-s.news:
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
}

func (s *tapeStream) send(b []byte, over bool) {
	s.mu.Lock()
	s.buf = append(s.buf, b...)
	s.over = s.over || over
	s.mu.Unlock()
	subscribe.Wake(s.news)
}

func (s *tapeStream) Close() error { s.send(nil, true); return nil }

// later sends b after a lag, behind what was sent before.
func (s *tapeStream) later(b []byte, over bool, lag time.Duration) {
	s.due = later(s.due.Add(1), time.Now().Add(lag))
	time.AfterFunc(time.Until(s.due), func() { s.send(b, over) })
}

// print is what the program writes.
func (t *tape) print(out int, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	frame := []byte(text)
	if !t.tty {
		frame = make([]byte, 8, 8+len(text))
		frame[0] = byte(out + 1)
		binary.BigEndian.PutUint32(frame[4:], uint32(len(text)))
		frame = append(frame, text...)
	}
	for _, s := range t.attached {
		s.later(frame, false, t.streamLag())
	}
	b := append(t.partial[out], text...)
	for {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 || n > part {
			if len(b) < part {
				break
			}
			n = part
		}
		t.startRecord(out, b[:n])
		b = b[n:]
	}
	t.partial[out] = bytes.Clone(b)
}

func (t *tape) startRecord(out int, text []byte) {
	lag := t.logLag()
	// The copier of Docker stamps a line when it comes to it, and all parts of a long one as
	// the first.
	at := t.stamp[out]
	if !t.split[out] {
		at = later(at.Add(100), time.Now().Add(lag/2))
	}
	t.stamp[out], t.split[out] = at, text[len(text)-1] != '\n'
	t.written = later(t.written, later(at, time.Now().Add(lag)))
	text = []byte(strings.ToValidUTF8(string(text), "\uFFFD"))
	t.log = append(t.log, logged{entry{out: out, at: at, text: text}, t.written})
}

// found returns what a reader finds now: what has come there has driven out what is old.
func (t *tape) found() []logged {
	now := time.Now()
	n := sort.Search(len(t.log), func(i int) bool { return t.log[i].seen.After(now) })
	size := 0
	for i := n - 1; i >= 0 && t.keep > 0; i-- {
		if size += len(t.log[i].text); size > t.keep {
			t.log = t.log[i+1:]
			n -= i + 1
			break
		}
	}
	return t.log[:n]
}

// cut breaks all streams off.
func (t *tape) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.attached {
		s.send(nil, true)
	}
	t.attached = nil
}

// exit ends the run.
func (t *tape) exit() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, b := range t.partial {
		if len(b) > 0 {
			t.startRecord(i, b)
		}
		t.partial[i], t.split[i] = nil, false
	}
	for _, s := range t.attached {
		s.later(nil, true, 0)
	}
	t.attached = nil
}

// refused has attaching fail from now on, or not any more.
func (t *tape) refused(refuse bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refuse = refuse
}

func (t *tape) AttachOutput(ctx context.Context, _ string) (io.ReadCloser, error) {
	time.Sleep(t.attachTime)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refuse {
		return nil, errRefused
	}
	s := &tapeStream{ctx: ctx, news: make(chan struct{}, 1)}
	t.attached = append(t.attached, s)
	context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.attached = slices.DeleteFunc(t.attached, func(o *tapeStream) bool { return o == s })
	})
	return s, nil
}

func (t *tape) AttachInput(context.Context, string) (streams.Conn, error) { return nil, errRefused }

func (t *tape) Logs(_ context.Context, _ string, r streams.Range) (io.ReadCloser, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads++
	if t.logErr != nil {
		return nil, t.logErr
	}
	var chosen []entry
	for _, l := range t.found() {
		chosen = append(chosen, l.entry)
	}
	if r.Lines > 0 {
		chosen = chosen[max(0, len(chosen)-r.Lines):]
	}
	var b []byte
	for _, e := range chosen {
		if e.at.Before(r.Since) {
			continue
		}
		var head []byte
		if r.Timestamps {
			head = []byte(e.at.UTC().Format(stampForm) + " ")
		}
		if !t.tty {
			var frame [8]byte
			frame[0] = byte(e.out + 1)
			binary.BigEndian.PutUint32(frame[4:], uint32(len(head)+len(e.text)))
			b = append(b, frame[:]...)
		}
		b = append(append(b, head...), e.text...)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (t *tape) Stats(ctx context.Context, _ string, _ func(observed.Stats)) error {
	<-ctx.Done()
	return ctx.Err()
}

func (t *tape) Resize(context.Context, string, int, int) error { return nil }
