package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"lightd/observed/streams"
)

const (
	// stampForm is how Docker writes the time before each entry, and stampLen its length
	// with the blank behind it.
	stampForm = "2006-01-02T15:04:05.000000000Z07:00"
	stampLen  = len("2006-01-02T15:04:05.000000000Z ")
	// part is where Docker splits a long line into entries (the buffer of its copier).
	part = 16 << 10
	// maxEntry bounds an entry, whatever the log driver.
	maxEntry = 1 << 20
	// grabbing begins the message with which Docker ends a log that it cannot read on. The log of a terminal, which
	// has no frames, ends with it as if it was a line. maxGrabbing bounds what is kept of it.
	grabbing    = "Error grabbing logs: "
	maxGrabbing = 256
)

// Entry is one entry of the log: a line, or a part of a long one.
type Entry struct {
	out  int
	at   time.Time
	text []byte
	// damaged marks the first entry of an output behind a damaged place of the log.
	damaged bool
}

// equal reports whether two entries are the same one of a log.
func (e Entry) equal(o Entry) bool {
	return e.out == o.out && e.at.Equal(o.at) && bytes.Equal(e.text, o.text)
}

// clone returns an entry that owns its text.
func (e Entry) clone() Entry {
	e.text = bytes.Clone(e.text)
	return e
}

// Output returns which of the outputs the entry is of.
func (e Entry) Output() int { return e.out }

// Text returns the text, which holds until the next entry is read.
func (e Entry) Text() []byte { return e.text }

// whole reports whether the entry ends a line.
func (e Entry) whole() bool { return len(e.text) > 0 && e.text[len(e.text)-1] == '\n' }

// entries reads a log with timestamps.
type entries struct {
	r        *bufio.Reader
	tty      bool
	decoders [streams.Outputs]Decoder
	buf      []byte
	text     []byte
	until    time.Time // of a terminal: no entry is later
	last     time.Time // of a terminal: the time of the entry before
	open     bool      // of a terminal: its line has not ended
}

func newEntries(r io.Reader, tty bool) *entries {
	return &entries{r: bufio.NewReaderSize(r, 64<<10), tty: tty, until: time.Now().Add(slack)}
}

// next returns the next entry, whose text holds until the next call, or io.EOF.
func (s *entries) next() (Entry, error) {
	for {
		e, err := s.read()
		if err != nil {
			return Entry{}, err
		}
		s.text = s.decoders[e.out].Append(s.text[:0], e.text)
		if e.text = s.text; len(e.text) > 0 {
			return e, nil
		}
	}
}

func (s *entries) read() (Entry, error) {
	if s.tty {
		return s.line()
	}
	return s.frame()
}

// frame reads an entry of a log of two outputs.
func (s *entries) frame() (Entry, error) {
	head, err := streams.ReadHeader(s.r)
	if err != nil {
		return Entry{}, err
	}
	if head.Length > maxEntry {
		return Entry{}, fmt.Errorf("frame of %d bytes is no log entry", head.Length)
	}
	if cap(s.buf) < int(head.Length) {
		s.buf = make([]byte, head.Length)
	}
	s.buf = s.buf[:head.Length]
	if _, err := io.ReadFull(s.r, s.buf); err != nil {
		return Entry{}, unexpected(err)
	}
	at, ok := stampOf(s.buf)
	if !ok {
		return Entry{}, fmt.Errorf("log entry without a time: %.40q", s.buf)
	}
	return Entry{out: streams.OutputOf(head.Source), at: at, text: s.buf[stampLen:]}, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// line reads an entry of a terminal's log, which has no frames: an entry without a line end, as a part
// of a long line or the last one of a run, has the next one on the same line.
func (s *entries) line() (Entry, error) {
	head, err := s.r.Peek(stampLen)
	if err != nil && len(head) == 0 {
		return Entry{}, err
	}
	at, ok := stampOf(head)
	switch {
	case ok && (!s.open || !at.Before(s.last)):
		_, _ = s.r.Discard(stampLen)
		s.last = at
	case !s.open && bytes.HasPrefix(head, []byte(grabbing)):
		text, _ := s.r.Peek(maxGrabbing)
		return Entry{}, &streams.EngineError{Message: string(text)}
	case !s.open:
		return Entry{}, fmt.Errorf("log entry without a time: %.40q", head)
	}
	text, err := s.r.Peek(part + stampLen)
	if len(text) == 0 && err != nil {
		return Entry{}, unexpected(err)
	}
	if end := bytes.IndexByte(text, '\n') + 1; end > 0 {
		text = text[:end]
	}
	n := min(len(text), part)
	if next := s.nextStamp(text); next > 0 {
		n = min(n, next)
	}
	s.buf = append(s.buf[:0], text[:n]...)
	_, _ = s.r.Discard(n)
	s.open = s.buf[n-1] != '\n'
	return Entry{at: s.last, text: s.buf}, nil
}

// nextStamp finds the time of another entry within a line. A time that the program printed
// is before the one at which it was logged, or after the present.
func (s *entries) nextStamp(text []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(text[from:], 'Z')
		if i < 0 {
			return 0
		}
		from += i + 1
		if begin := from + 1 - stampLen; begin > 0 && from < len(text) {
			if at, ok := stampOf(text[begin:]); ok && !at.Before(s.last) && !at.After(s.until) {
				return begin
			}
		}
	}
}

// stampOf reads the time at the beginning of an entry.
func stampOf(b []byte) (time.Time, bool) {
	if len(b) < stampLen || b[stampLen-1] != ' ' || b[stampLen-2] != 'Z' {
		return time.Time{}, false
	}
	at, err := time.Parse(stampForm, string(b[:stampLen-1]))
	return at, err == nil
}
