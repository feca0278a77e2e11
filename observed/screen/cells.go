package screen

import "unicode/utf8"

// cursor is the column of the cursor.
func (l *Line) cursor() int {
	switch {
	case l.returned:
		return 0
	case l.moved:
		return l.column
	}
	return columns(l.text)
}

// columns is how many columns text takes from the left margin on.
func columns(text []byte) int {
	n := 0
	for i := 0; i < len(text); n++ {
		if text[i] == '\t' {
			n += tabWidth - n%tabWidth - 1
		}
		_, size := utf8.DecodeRune(text[i:])
		i += size
	}
	return n
}

// save keeps the column of the cursor.
func (l *Line) save() {
	if !l.returned {
		l.split()
	}
	l.saved = l.cursor()
}

// split makes the line one of cells, with the cursor behind its text.
func (l *Line) split() {
	if l.moved {
		return
	}
	l.moved = true
	l.cells = l.cells[:0]
	for p := l.text; len(p) > 0; {
		if p[0] == '\t' {
			l.appendTab()
			p = p[1:]
			continue
		}
		r, size := utf8.DecodeRune(p)
		l.cells = append(l.cells, cellOf(r, size, p[0]))
		p = p[size:]
	}
	l.text = l.text[:0]
	l.column = len(l.cells)
}

func cellOf(r rune, size int, b byte) cell {
	if r == utf8.RuneError && size <= 1 {
		return invalid | cell(b)
	}
	return cell(r)
}

func (l *Line) appendTab() {
	l.cells = append(l.cells, '\t')
	for len(l.cells)%tabWidth > 0 {
		l.cells = append(l.cells, filler)
	}
}

// move puts the cursor at a column.
func (l *Line) move(column int, show func([]byte) bool) bool {
	done := l.change(show)
	l.cut()
	l.column = min(max(column, 0), max(maxColumn, len(l.cells)))
	return done
}

// tab moves the cursor to the next stop. Behind the text it is part of that.
func (l *Line) tab(show func([]byte) bool) bool {
	stop := l.cursor()/tabWidth*tabWidth + tabWidth
	if l.returned || l.column < len(l.cells) {
		return l.move(stop, show)
	}
	l.cut()
	l.pad(l.column)
	l.appendTab()
	l.column, l.fresh = len(l.cells), true
	return l.window(show)
}

// put writes text at the cursor.
func (l *Line) put(p []byte, show func([]byte) bool) bool {
	for i := 0; i < len(p); {
		if len(l.carry) > 0 || p[i] >= utf8.RuneSelf && !utf8.FullRune(p[i:]) {
			l.carry = append(l.carry, p[i])
			i++
			if utf8.FullRune(l.carry) {
				i -= l.settleCarry()
			}
		} else {
			r, size := utf8.DecodeRune(p[i:])
			l.set(cellOf(r, size, p[i]))
			i += size
		}
		if l.window(show) {
			return true
		}
	}
	return false
}

// settleCarry writes the character that carry has become, or its first byte if it is none, and
// returns how many bytes of it are to be written again.
func (l *Line) settleCarry() (again int) {
	r, size := utf8.DecodeRune(l.carry)
	l.set(cellOf(r, size, l.carry[0]))
	if again = len(l.carry) - size; again > 1 {
		for _, b := range l.carry[size : len(l.carry)-1] {
			l.set(invalid | cell(b))
		}
		again = 1
	}
	l.carry = l.carry[:0]
	return again
}

// cut writes the bytes of a character that was not completed.
func (l *Line) cut() {
	for _, b := range l.carry {
		l.set(invalid | cell(b))
	}
	l.carry = l.carry[:0]
}

// set writes a character at the cursor.
func (l *Line) set(c cell) {
	l.pad(l.column)
	if l.column == len(l.cells) {
		l.cells = append(l.cells, c)
	} else {
		l.unTab(l.column)
		l.cells[l.column] = c
	}
	l.column++
	l.fresh = true
}

// pad makes the text end no earlier than a column.
func (l *Line) pad(column int) {
	for len(l.cells) < column {
		l.cells = append(l.cells, blank)
	}
}

// unTab makes blanks of the tab that covers a column.
func (l *Line) unTab(column int) {
	if column >= len(l.cells) || l.cells[column] != '\t' && l.cells[column] != filler {
		return
	}
	for column > 0 && l.cells[column] == filler {
		column--
	}
	l.cells[column] = blank
	for column++; column < len(l.cells) && l.cells[column] == filler; column++ {
		l.cells[column] = blank
	}
}

// window shows a line that has become too long, and keeps its end.
func (l *Line) window(show func([]byte) bool) bool {
	if len(l.cells) < MaxLine {
		return false
	}
	done := show(l.present(false))
	dropped := len(l.cells) - Overlap
	l.cells = l.cells[:copy(l.cells, l.cells[dropped:])]
	l.column, l.begun = max(0, l.column-dropped), max(0, l.begun-dropped)
	l.fresh = false
	return done
}

// erase obeys the sequences K and J: 0 erases from the cursor on, 1 up to it, others everything.
func (l *Line) erase(what int, show func([]byte) bool) bool {
	done := l.change(show)
	l.cut()
	switch what {
	case 0:
		l.unTab(l.column)
		l.cells = l.cells[:min(l.column, len(l.cells))]
	case 1:
		if n := min(l.column+1, len(l.cells)); n == len(l.cells) {
			l.cells = l.cells[:0]
		} else if l.afford(n) {
			l.unTab(n)
			for i := range n {
				l.cells[i] = blank
			}
		}
	default:
		l.cells = l.cells[:0]
	}
	l.fresh = len(l.cells) > 0
	if len(l.cells) == 0 && l.column == 0 {
		l.moved, l.text, l.begun = false, l.text[:0], 0
	}
	return done
}

// edit obeys X, P and @, which erase, delete and insert n characters at the cursor.
func (l *Line) edit(what byte, n int, show func([]byte) bool) bool {
	done := l.change(show)
	l.cut()
	rest := len(l.cells) - l.column
	n = min(n, maxColumn)
	if rest <= 0 || !l.afford(rest+n) {
		return done
	}
	for i := l.column; i < len(l.cells); i++ {
		l.unTab(i) // the stops do not move with the text
	}
	at := l.cells[l.column:]
	switch what {
	case 'X':
		for i := range min(n, rest) {
			at[i] = blank
		}
	case 'P':
		l.cells = l.cells[:l.column+copy(at, at[min(n, rest):])]
	case '@':
		l.pad(len(l.cells) + n)
		at = l.cells[l.column:]
		copy(at[n:], at)
		for i := range n {
			at[i] = blank
		}
	}
	l.fresh = len(l.cells) > 0
	return done || l.window(show)
}

// present is the text of the line that the program has written, up to the cursor where only
// blanks are behind that. Ended means that the line will not change any more.
func (l *Line) present(ended bool) []byte {
	if l.Typed.active() {
		l.split()
	}
	if !l.moved {
		return l.text
	}
	if ended {
		l.cut()
	}
	cells := l.cells
	for len(cells) > l.column && cells[len(cells)-1]&^echoed == blank {
		cells = cells[:len(cells)-1]
	}
	if l.Typed.active() {
		if ended {
			cells = cells[:len(cells)-l.Typed.echoOnEnded(cells)]
		} else {
			cells = cells[:len(cells)-l.Typed.echoOnOpen(cells)]
		}
	}
	l.shown = l.shown[:0]
	for _, c := range cells {
		switch {
		case c&(filler|echoed) != 0:
		case c&invalid != 0:
			l.shown = append(l.shown, byte(c))
		default:
			l.shown = utf8.AppendRune(l.shown, rune(c))
		}
	}
	return l.shown
}
