package screen

import (
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// maxTyped and maxTypedLines bound what is kept of what was typed: characters of a line, and lines.
	maxTyped, maxTypedLines = 512, 32
	// echoTime is how long after it was typed a line may come back as an echo; the part of one
	// that is open, for openEchoTime.
	echoTime, openEchoTime = 10 * time.Second, 2 * time.Second
)

// Typed is what was lately written to the input of a terminal. A terminal echoes it, and so does
// a program that edits lines itself; that is no output of the program. The zero Typed is nothing. It
// is safe for concurrent use.
type Typed struct {
	mu   sync.Mutex
	open []rune // the line that is open, as it shows
	// awaited is the end of open of which no echo has come; recent is true while it may still come.
	awaited []rune
	recent  bool
	lines   []typedLine // that have ended, oldest first
	at      time.Time
}

// typedLine is a line that was typed and ended.
type typedLine struct {
	text   []rune
	at     time.Time
	echoed bool
}

// Write takes note of data that is about to be written to the terminal.
func (t *Typed) Write(data []byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = now
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		data = data[size:]
		switch r {
		case '\n', '\r':
			t.end(now)
		case 0x03, 0x1a, 0x1c: // ^C ^Z ^\
			t.add('^', r+'@')
			awaited := t.awaited // the line continues
			t.end(now)
			t.awaited = awaited
		case 0x04: // ^D submits the line, which stays on the screen
		case 0x15: // ^U
			t.open, t.awaited = t.open[:0], t.awaited[:0]
		case 0x7f, '\b':
			t.erase()
		case 0x17: // ^W
			for len(t.open) > 0 && t.open[len(t.open)-1] == ' ' {
				t.erase()
			}
			for len(t.open) > 0 && t.open[len(t.open)-1] != ' ' {
				t.erase()
			}
		default:
			if r < ' ' && r != '\t' {
				t.add('^', r+'@')
			} else {
				t.add(r)
			}
		}
	}
}

func (t *Typed) add(text ...rune) {
	if len(t.open)+len(text) <= maxTyped {
		t.open = append(t.open, text...)
		t.awaited = append(t.awaited, text...)
	}
}

func (t *Typed) erase() {
	t.open = t.open[:max(0, len(t.open)-1)]
	t.awaited = t.awaited[:max(0, len(t.awaited)-1)]
}

func (t *Typed) end(now time.Time) {
	if len(t.open) > 0 {
		if len(t.lines) == maxTypedLines {
			t.lines = slices.Delete(t.lines, 0, 1)
		}
		t.lines = append(t.lines, typedLine{text: slices.Clone(t.open), at: now})
	}
	t.open, t.awaited = t.open[:0], t.awaited[:0]
}

// Reset forgets all that was typed.
func (t *Typed) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open, t.awaited, t.recent, t.lines, t.at = nil, nil, false, nil, time.Time{}
}

// Expire sets the time: of what was typed long ago no echo will come.
func (t *Typed) Expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent = now.Sub(t.at) <= openEchoTime
	if !t.recent {
		t.awaited = t.awaited[:0]
	}
	for i := range t.lines {
		if now.Sub(t.lines[i].at) > echoTime {
			t.lines[i].echoed = true
		}
	}
}

// Again returns a copy that reckons with the echo of all that is known, however old: that of a
// log.
func (t *Typed) Again() *Typed {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &Typed{open: slices.Clone(t.open), lines: slices.Clone(t.lines)}
	for i := range c.lines {
		c.lines[i].echoed = false
	}
	return c
}

// active reports whether an echo may come, or stand on the line.
func (t *Typed) active() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open) > 0 || slices.ContainsFunc(t.lines, func(l typedLine) bool { return !l.echoed })
}

// echoOnEnded returns how many characters at the end of a line that has ended are the echo of a
// line that was typed, which then has come. What the program prints later is its own.
func (t *Typed) echoOnEnded(line []cell) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.lines {
		if l := &t.lines[i]; !l.echoed && endsWith(line, l.text) {
			for j := range t.lines[:i+1] {
				t.lines[j].echoed = true
			}
			return len(l.text)
		}
	}
	return 0
}

// echoOnOpen is echoOnEnded for a line that is still written to: it may end with what was typed so
// far, or with the beginning of it.
func (t *Typed) echoOnOpen(line []cell) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	longest := 0
	if endsWith(line, t.open) {
		longest = len(t.open)
	}
	try := func(text []rune) {
		for n := min(len(text), len(line)); n > longest; n-- {
			if endsWith(line, text[:n]) {
				longest = n
			}
		}
	}
	for _, l := range t.lines {
		if !l.echoed {
			try(l.text)
		}
	}
	if t.recent {
		try(t.open)
	}
	return longest
}

// arrived takes note of what was printed at once behind what was there before, and reports whether
// it is an echo and nothing else.
func (t *Typed) arrived(piece []cell) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(piece) == 0 || len(piece) > len(t.awaited) || !endsWith(piece, t.awaited[:len(piece)]) {
		return false
	}
	t.awaited = slices.Delete(t.awaited, 0, len(piece))
	return true
}

// endsWith reports whether a line ends with a text.
func endsWith(line []cell, text []rune) bool {
	if len(text) > len(line) {
		return false
	}
	line = line[len(line)-len(text):]
	for i, r := range text {
		if line[i]&^echoed != cell(r) {
			return false
		}
	}
	return true
}
