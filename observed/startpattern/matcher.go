package startpattern

import (
	"fmt"
	"sync"

	"lightd/observed/screen"
	"lightd/observed/streams"
)

// matcher looks for a pattern in what a person sees of the lines of the streams of one run: see
// package screen.
type matcher struct {
	re    *expression
	lines [streams.Sources]screen.Line
	// done, once closed, has nothing match any more; nil never is.
	done <-chan struct{}
}

// newMatcher returns a matcher for the output of t. What was typed at its terminal is no output.
func newMatcher(re *expression, t streams.Target, typed *screen.Typed) matcher {
	m := matcher{re: re}
	if t.TTY {
		for i := range m.lines {
			m.lines[i].Typed = typed
		}
	}
	return m
}

// feed adds output of one stream and reports whether a line matches that it completes or changes.
func (m *matcher) feed(source int, p []byte) bool {
	return m.lines[source].Feed(p, m.match)
}

func (m *matcher) match(text []byte) bool {
	select {
	case <-m.done:
		return false
	default:
		return m.re.match(text)
	}
}

// open reports whether a line waits for its end.
func (m *matcher) open() bool {
	for i := range m.lines {
		if m.lines[i].Fresh() {
			return true
		}
	}
	return false
}

// matchOpen matches the lines that have no end yet, as a prompt never has.
func (m *matcher) matchOpen() bool {
	for i := range m.lines {
		if l := &m.lines[i]; l.Fresh() && m.match(l.Show()) {
			return true
		}
	}
	return false
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
