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
	// maxObjects and maxValues bound the objects and lists, and the values, of a whole answer: two bytes of it may
	// become hundreds of memory. A list of 10,000 containers with a port each has 120,000 and 450,000 in 15 MB.
	maxObjects = 1 << 19
	maxValues  = 1 << 21
	// elementCost is how many of maxObjects one in the outermost list takes, which becomes the largest struct.
	elementCost = 8
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

func tooLarge(what string, most int, of string) error {
	return fmt.Errorf("%w: %w: %s of more than %d %s", cerrdefs.ErrInternal, ErrTooLarge, what, most, of)
}

// whole is an answer that is decoded at once.
type whole struct {
	io.ReadCloser
	punctuation
	n, depth, objects, values int
}

// Read implements io.Reader.
func (w *whole) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if w.n += n; w.n > maxAnswer {
		return n, tooLarge("an answer", maxAnswer, "bytes")
	}
	for _, c := range p[:n] {
		switch w.of(c) {
		case '{', '[':
			if w.objects++; w.depth == 1 {
				w.objects += elementCost - 1
			}
			w.depth++
		case '}', ']':
			w.depth--
		case ',':
			w.values++
		}
	}
	if w.objects > maxObjects || w.values > maxValues {
		return n, tooLarge("an answer", maxObjects, "objects")
	}
	return n, err
}

// messages is a stream of JSON objects, or, of level 1, the objects of a list. It fails where one of them does
// not end within maxMessage, whatever stands in it or before it.
type messages struct {
	io.ReadCloser
	punctuation
	level int

	depth            int
	sinceLastMessage int
}

// Read implements io.Reader.
func (m *messages) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	for _, c := range p[:n] {
		m.next(c)
		if m.sinceLastMessage > maxMessage {
			return n, tooLarge("a message", maxMessage, "bytes")
		}
	}
	return n, err
}

func (m *messages) next(c byte) {
	m.sinceLastMessage++
	switch m.of(c) {
	case '{', '[':
		m.depth++
	case '}', ']':
		if m.depth--; m.depth == m.level {
			m.sinceLastMessage = 0
		}
	}
}

// punctuation tells the bytes of JSON that are outside of texts.
type punctuation struct{ inText, escaped bool }

// of returns the next byte, or 0 for one of a text.
func (p *punctuation) of(c byte) byte {
	switch {
	case p.escaped:
		p.escaped = false
	case p.inText:
		p.escaped, p.inText = c == '\\', c != '"'
	case c == '"':
		p.inText = true
	default:
		return c
	}
	return 0
}
