package screen

import (
	"bytes"
	"encoding/binary"
)

const (
	// MaxLine bounds what is kept of a line, in bytes. A longer line is shown in windows of
	// this size.
	MaxLine = 64 << 10
	// Overlap is how much of a window the next one repeats.
	Overlap = 4 << 10
	// maxColumn is how far to the right of the text the cursor may be moved: no terminal is wider.
	maxColumn = 1000
	// tabWidth is how far apart the tab stops are.
	tabWidth = 8
	// creditPerByte and maxCredit bound the work on states that are shown and then changed, in
	// bytes of line, by what was written.
	creditPerByte, maxCredit = 32, 256 << 10
)

// Line is the line on which the cursor is. The zero Line is empty.
type Line struct {
	// text is the line while nothing but its end was written to. Then cells are.
	text   []byte
	cells  []cell
	moved  bool // cells count
	column int  // of the cursor, in cells
	saved  int  // the column that was saved
	// returned is true when a carriage return came last, which a line feed may follow.
	returned bool
	sequence sequence
	carry    []byte // the beginning of a character, in cells
	shown    []byte // the text of cells
	// fresh is true while there is a state that was not shown.
	fresh bool
	spent int // of the credit
	begun int // where the text begins that came with the present Feed, in cells

	// Typed is what was typed at the terminal, whose echo is not shown; nil is nothing.
	Typed *Typed
}

// cell is a character, or a byte that is part of none.
type cell uint32

const (
	invalid cell = 1 << 31 // a byte that is part of no character
	filler  cell = 1 << 30 // the columns that a tab before it takes
	echoed  cell = 1 << 29 // it was typed, and not printed by the program
	blank   cell = ' '
)

// Feed writes p to the line, and calls show with each state that comes to its end: of a line that
// ends, and of one that is about to be changed. The text holds until show returns. Where show
// returns true, Feed does too, at once.
func (l *Line) Feed(p []byte, show func(text []byte) bool) bool {
	l.spent = max(0, l.spent-creditPerByte*len(p))
	if l.Typed.active() {
		return l.feedEchoed(p, show)
	}
	return l.feed(p, show)
}

// feedEchoed is Feed where an echo may be in p. What comes alone and is what was typed is one.
func (l *Line) feedEchoed(p []byte, show func([]byte) bool) bool {
	l.split()
	l.begun = len(l.cells)
	if l.feed(p, show) {
		return true
	}
	l.split()
	if l.begun <= len(l.cells) && l.Typed.arrived(l.cells[l.begun:]) {
		for i := range l.cells[l.begun:] {
			l.cells[l.begun+i] |= echoed
		}
	}
	return false
}

func (l *Line) feed(p []byte, show func([]byte) bool) bool {
	for begins := true; len(p) > 0; { // a line begins, and has not been examined as a whole
		if begins && l.empty() && !l.Typed.active() {
			if n := plainLine(p); n >= 0 {
				if show(bytes.TrimSuffix(p[:n], cr)) {
					return true
				}
				p = p[n+1:]
				continue
			}
		}
		begins = false
		if l.sequence.state == plain {
			n, done := l.write(p, show)
			if done {
				return true
			}
			if p = p[n:]; len(p) == 0 {
				break
			}
			if n > 0 {
				continue
			}
		}
		if p[0] == '\n' {
			begins = true
		}
		if l.control(p[0], show) {
			return true
		}
		p = p[1:]
	}
	return false
}

var cr = []byte{'\r'}

// Fresh reports whether the line has a text that was not shown.
func (l *Line) Fresh() bool { return l.fresh }

// Show returns the present text of the line, which holds until the next call.
func (l *Line) Show() []byte {
	l.fresh = false
	return l.present(false)
}

func (l *Line) empty() bool {
	return len(l.text) == 0 && !l.moved && !l.returned && l.sequence.state == plain
}

// plainLine returns where the line ends that p begins with, if that can be shown as it is; -1
// otherwise.
func plainLine(p []byte) int {
	n := bytes.IndexByte(p[:min(len(p), MaxLine)], '\n')
	if n < 0 || hasControl(bytes.TrimSuffix(p[:n], cr)) {
		return -1
	}
	return n
}

// hasControl reports whether there are control characters other than tabs in p.
func hasControl(p []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for len(p) >= 8 {
		if x := binary.LittleEndian.Uint64(p); (x-ones*' ')&^x&high != 0 && plainRun(p[:8], true) < 8 {
			return true
		}
		p = p[8:]
	}
	return plainRun(p, true) < len(p)
}

// plainRun returns how many bytes at the beginning of p are text.
func plainRun(p []byte, tabs bool) int {
	for i, b := range p {
		if b < ' ' && (b != '\t' || !tabs) {
			return i
		}
	}
	return len(p)
}

// write writes the text that p begins with, and returns how much that was.
func (l *Line) write(p []byte, show func([]byte) bool) (n int, done bool) {
	n = plainRun(p, !l.moved && !l.returned)
	if n == 0 {
		return 0, false
	}
	if l.returned && l.move(0, show) {
		return 0, true
	}
	if l.moved {
		return n, l.put(p[:n], show)
	}
	n = min(n, MaxLine-len(l.text))
	l.text = append(l.text, p[:n]...)
	l.fresh = true
	if len(l.text) < MaxLine {
		return n, false
	}
	done = show(l.text)
	l.text = l.text[:copy(l.text, l.text[MaxLine-Overlap:])]
	l.fresh = false
	return n, done
}

// control obeys a control character, or what is part of a sequence.
func (l *Line) control(b byte, show func([]byte) bool) bool {
	if b == '\n' {
		return l.end(0, show)
	}
	if l.sequence.state != plain {
		if final, ok := l.sequence.next(b); ok {
			return l.obey(final, show)
		}
		return false
	}
	switch b {
	case escByte:
		l.sequence = sequence{state: escaped}
	case '\r':
		l.returned = true
	case '\b':
		return l.move(l.cursor()-1, show)
	case '\t':
		return l.tab(show)
	case '\v', '\f':
		return l.end(0, show)
	}
	return false
}

// obey follows a sequence that is complete.
func (l *Line) obey(final byte, show func([]byte) bool) bool {
	n := l.sequence.number(0)
	count := max(n, 1)
	if l.sequence.single { // without [
		switch final {
		case '7':
			l.save()
		case '8':
			return l.move(l.saved, show)
		case 'D', 'M':
			return l.end(l.cursor(), show)
		case 'E', 'c':
			return l.end(0, show)
		}
		return false
	}
	switch final {
	case 'C':
		return l.move(l.cursor()+count, show)
	case 'D':
		return l.move(l.cursor()-count, show)
	case 'G', '`':
		return l.move(count-1, show)
	case 's':
		l.save()
	case 'u':
		return l.move(l.saved, show)
	case 'K', 'J':
		return l.erase(n, show)
	case 'L', 'M':
		return l.erase(2, show)
	case 'X', 'P', '@':
		return l.edit(final, count, show)
	case 'A', 'B', 'd':
		return l.end(l.cursor(), show)
	case 'E', 'F':
		return l.end(0, show)
	case 'H', 'f':
		return l.end(max(l.sequence.number(1), 1)-1, show)
	}
	return false
}

// end shows the line, and begins another one at a column.
func (l *Line) end(column int, show func([]byte) bool) bool {
	done := show(l.present(true))
	*l = Line{text: l.text[:0], cells: l.cells[:0], carry: l.carry[:0], shown: l.shown[:0],
		saved: l.saved, spent: l.spent, Typed: l.Typed}
	if column > 0 {
		l.moved, l.column = true, min(column, maxColumn)
	}
	return done
}

// afford reports whether there is credit for work on n cells, and takes it.
func (l *Line) afford(n int) bool {
	if l.spent+n > maxCredit {
		return false
	}
	l.spent += n
	return true
}

// change shows the line before it is changed, and makes it one of cells.
func (l *Line) change(show func([]byte) bool) bool {
	done := false
	if l.fresh && l.afford(len(l.text)+len(l.cells)) {
		done = show(l.present(false))
		l.fresh = false
	}
	l.split()
	if l.returned {
		l.returned, l.column = false, 0
	}
	return done
}
