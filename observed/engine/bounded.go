package engine

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
)

// What is read of the engine at most, in bytes: decoders keep a whole answer, or a whole message of a
// stream, in memory before the first part of it is used.
const (
	maxMessage = 1 << 20
	maxAnswer  = 64 << 20
)

// ErrTooLarge is in the chain of the error of an answer, or of a message of a stream, that the engine does
// not end within what is read of one.
var ErrTooLarge = errors.New("the engine sent more than is read of one answer")

// bounded returns the body of an answer with the bound that it needs. What is written by containers and
// images, as logs and archives, has none: nobody reads it whole.
func bounded(r *http.Request, answer *http.Response) io.ReadCloser {
	ends := func(suffixes ...string) bool {
		for _, s := range suffixes {
			if strings.HasSuffix(r.URL.Path, s) {
				return true
			}
		}
		return false
	}
	switch {
	case answer.StatusCode == http.StatusSwitchingProtocols, ends("/logs", "/attach", "/images/get", "/archive"):
		return answer.Body
	case ends("/events", "/stats", "/images/create", "/images/load"):
		return &messages{ReadCloser: answer.Body}
	case ends("/changes"):
		return &messages{ReadCloser: answer.Body, level: 1}
	}
	return &whole{ReadCloser: answer.Body}
}

func tooLarge(what string, most int) error {
	return fmt.Errorf("%w: %w: %s of more than %d bytes", cerrdefs.ErrInternal, ErrTooLarge, what, most)
}

// whole is an answer that is decoded at once.
type whole struct {
	io.ReadCloser
	n int
}

// Read implements io.Reader.
func (w *whole) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if w.n += n; w.n > maxAnswer {
		return n, tooLarge("an answer", maxAnswer)
	}
	return n, err
}

// messages is a stream of JSON objects, or, of level 1, the objects of a list. It fails where one of them does
// not end within maxMessage, whatever stands in it or before it.
type messages struct {
	io.ReadCloser
	level int

	depth            int
	inText, escaped  bool
	sinceLastMessage int
}

// Read implements io.Reader.
func (m *messages) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	for _, c := range p[:n] {
		m.next(c)
		if m.sinceLastMessage > maxMessage {
			return n, tooLarge("a message", maxMessage)
		}
	}
	return n, err
}

func (m *messages) next(c byte) {
	m.sinceLastMessage++
	switch {
	case m.escaped:
		m.escaped = false
	case m.inText:
		m.escaped, m.inText = c == '\\', c != '"'
	case c == '"':
		m.inText = true
	case c == '{', c == '[':
		m.depth++
	case c == '}', c == ']':
		if m.depth--; m.depth == m.level {
			m.sinceLastMessage = 0
		}
	}
}
