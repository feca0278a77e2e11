package console

import (
	"bytes"
	"fmt"
	"sync"
)

const (
	// maxLine bounds what is kept of a line for matching. A longer line is matched in
	// windows of this size.
	maxLine = 64 << 10
	// overlap is how much of a window the next one repeats, so that a match across their
	// border is found.
	overlap = 4 << 10
)

// matcher looks for a pattern in the lines of the streams of one run.
type matcher struct {
	re    *expression
	lines [sources]line
}

// line is the open line of one stream, without escapes and carriage returns.
type line struct {
	text   []byte
	escape escape
	// fresh is true while text holds what was not matched yet.
	fresh bool
}

// feed adds output of one stream and reports whether a line that it completes matches.
func (m *matcher) feed(source int, p []byte) bool {
	l := &m.lines[source]
	for begins := true; len(p) > 0; { // a line begins, and has not been looked at as a whole
		if begins {
			if n := l.whole(p); n >= 0 {
				if m.re.match(bytes.TrimSuffix(p[:n], cr)) {
					return true
				}
				p = p[n+1:]
				continue
			}
			begins = false
		}
		n := 0
		if l.escape == plain {
			n = plainRun(p[:min(len(p), maxLine-len(l.text))])
			l.text = append(l.text, p[:n]...)
			l.fresh = l.fresh || n > 0
			if len(l.text) == maxLine {
				if m.re.match(l.text) {
					return true
				}
				l.text = l.text[:copy(l.text, l.text[maxLine-overlap:])]
				l.fresh = false
			}
		}
		if p = p[n:]; len(p) == 0 {
			break
		}
		if n > 0 && p[0] != '\n' && p[0] != '\r' && p[0] != esc {
			continue // the window was full
		}
		if p[0] == '\n' {
			if m.re.match(l.text) {
				return true
			}
			l.text, l.fresh, l.escape = l.text[:0], false, plain
			begins = true
		} else {
			l.escape = l.escape.next(p[0])
		}
		p = p[1:]
	}
	return false
}

var cr = []byte{'\r'}

// whole returns where the line ends that p begins with, if that can be matched as it is, which
// most lines can; -1 otherwise.
func (l *line) whole(p []byte) int {
	if len(l.text) > 0 || l.escape != plain {
		return -1
	}
	n := bytes.IndexByte(p[:min(len(p), maxLine)], '\n')
	if n < 0 || bytes.IndexByte(p[:n], esc) >= 0 || bytes.IndexByte(p[:max(n-1, 0)], '\r') >= 0 {
		return -1
	}
	return n
}

// plainRun returns how many bytes at the beginning of p are text.
func plainRun(p []byte) int {
	for i, b := range p {
		if b == '\n' || b == '\r' || b == esc {
			return i
		}
	}
	return len(p)
}

// open reports whether a line waits for its end.
func (m *matcher) open() bool {
	for i := range m.lines {
		if m.lines[i].fresh {
			return true
		}
	}
	return false
}

// matchOpen matches the lines that have no end yet, as a prompt never has.
func (m *matcher) matchOpen() bool {
	for i := range m.lines {
		if l := &m.lines[i]; l.fresh {
			l.fresh = false
			if m.re.match(l.text) {
				return true
			}
		}
	}
	return false
}

const esc = 0x1b

// escape is the state of skipping a terminal's escape sequence.
type escape uint8

const (
	plain      escape = iota
	escaped           // after ESC
	control           // ESC [ up to a final byte
	command           // ESC ] and the like, up to BEL or ESC \
	commandEnd        // ESC within command
)

// next is the state after b, which is no line end. In plain state b is ESC or a carriage
// return.
func (e escape) next(b byte) escape {
	if b == esc {
		if e == command {
			return commandEnd
		}
		return escaped
	}
	switch e {
	case escaped, commandEnd:
		return afterEscape(b)
	case control:
		if b >= 0x40 && b <= 0x7e {
			return plain
		}
		return control
	case command:
		if b == 0x07 {
			return plain
		}
		return command
	}
	return plain
}

func afterEscape(b byte) escape {
	switch {
	case b == '[':
		return control
	case b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_':
		return command
	case b >= 0x20 && b <= 0x2f: // intermediate, as in ESC ( B
		return escaped
	}
	return plain
}

// patterns keeps compiled patterns, which many containers share.
type patterns struct {
	mu       sync.Mutex
	compiled map[string]*expression
}

// maxPatterns bounds the compiled patterns that are kept.
const maxPatterns = 512

func (p *patterns) compile(pattern string) (*expression, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if re, ok := p.compiled[pattern]; ok {
		return re, nil
	}
	re, err := compileExpression(pattern)
	if err != nil {
		return nil, fmt.Errorf("compile start pattern: %w", err)
	}
	if p.compiled == nil || len(p.compiled) >= maxPatterns {
		p.compiled = make(map[string]*expression)
	}
	p.compiled[pattern] = re
	return re, nil
}
