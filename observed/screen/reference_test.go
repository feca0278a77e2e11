package screen

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// row is a simple terminal of one row: a map of columns, redrawn at each look.
type row struct {
	at     map[int]rune
	column int
	width  int // behind the last column that is known
	dirty  bool
	states []string
}

func newRow() *row { return &row{at: map[int]rune{}} }

// text is what is seen, without what is blank at the end.
func (r *row) text() string {
	var b strings.Builder
	for i := range r.width {
		if c, ok := r.at[i]; ok {
			b.WriteRune(c)
		} else {
			b.WriteByte(' ')
		}
	}
	return strings.TrimRight(b.String(), " ")
}

func (r *row) look() {
	if r.dirty {
		r.states = append(r.states, r.text())
	}
	r.dirty = false
}

func (r *row) put(c rune) {
	r.at[r.column] = c
	r.column++
	r.width = max(r.width, r.column)
	r.dirty = true
}

func (r *row) move(column int) {
	r.look()
	r.column = max(column, 0)
}

// cut leaves what is seen in the columns for which keep holds, moved by shift.
func (r *row) cut(to func(i int) (int, bool)) {
	r.look()
	next := map[int]rune{}
	for i, c := range r.at {
		if j, ok := to(i); ok {
			next[j] = c
		}
	}
	r.at = next
	r.width += 20
	r.dirty = true
}

// operations are what a fuzzed input is made of: what is written, and what it does.
var operations = []struct {
	text string
	do   func(r *row)
}{
	{"a", func(r *row) { r.put('a') }},
	{"b", func(r *row) { r.put('b') }},
	{" ", func(r *row) { r.put(' ') }},
	{"ü", func(r *row) { r.put('ü') }},
	{"\r", func(r *row) { r.move(0) }},
	{"\b", func(r *row) { r.move(r.column - 1) }},
	{"\x1b[C", func(r *row) { r.move(r.column + 1) }},
	{"\x1b[3C", func(r *row) { r.move(r.column + 3) }},
	{"\x1b[2D", func(r *row) { r.move(r.column - 2) }},
	{"\x1b[4G", func(r *row) { r.move(3) }},
	{"\x1b[K", func(r *row) { r.cut(func(i int) (int, bool) { return i, i < r.column }) }},
	{"\x1b[1K", func(r *row) { r.cut(func(i int) (int, bool) { return i, i > r.column }) }},
	{"\x1b[2K", func(r *row) { r.cut(func(i int) (int, bool) { return i, false }) }},
	{"\x1b[2X", func(r *row) { r.cut(func(i int) (int, bool) { return i, i < r.column || i >= r.column+2 }) }},
	{"\x1b[P", func(r *row) {
		r.cut(func(i int) (int, bool) {
			if i > r.column {
				return i - 1, true
			}
			return i, i < r.column
		})
	}},
	{"\x1b[@", func(r *row) {
		r.cut(func(i int) (int, bool) {
			if i >= r.column {
				return i + 1, true
			}
			return i, true
		})
	}},
	{"\t", func(r *row) {
		if r.column < len([]rune(r.text())) {
			r.look()
		}
		stop := r.column/tabWidth*tabWidth + tabWidth
		r.width, r.column = max(r.width, stop), stop
		r.dirty = true
	}},
	{"\x1b[32m", func(*row) {}},
	{"\x1b]0;t\a", func(*row) {}},
	{"\a", func(*row) {}},
}

// seen is a text as it looks: tabs are blanks, and blanks at the end are not seen.
func seen(text string) string {
	var b strings.Builder
	n := 0
	for _, c := range text {
		b.WriteRune(map[bool]rune{true: ' ', false: c}[c == '\t'])
		for n++; c == '\t' && n%tabWidth > 0; n++ {
			b.WriteByte(' ')
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// FuzzLine holds a Line against the simple terminal, whatever the pieces in which it is fed: what
// stands there at the end, and that every state of the simple one that differs is shown.
func FuzzLine(f *testing.F) {
	f.Add([]byte{0, 2, 4, 10, 1, 1}, 3)
	f.Add([]byte{0, 0, 16, 1, 5, 5, 5, 0, 14, 15}, 1)
	f.Add([]byte{3, 3, 8, 13, 0, 16, 16, 4, 7, 0, 11, 9, 1}, 7)
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		var text []byte
		reference := newRow()
		for _, b := range in[:min(len(in), 100)] {
			op := operations[int(b)%len(operations)]
			text = append(text, op.text...)
			op.do(reference)
		}
		reference.look()
		var got []string
		var l Line
		for p := range slices.Chunk(text, max(1, piece%8)) {
			l.Feed(p, func(text []byte) bool { got = append(got, seen(string(text))); return false })
		}
		last := seen(string(l.Show()))
		got = append(got, last)
		if want := reference.text(); last != want {
			t.Fatalf("%q shows %q, want %q", text, last, want)
		}
		for _, want := range reference.states {
			if want != "" && !slices.Contains(got, want) {
				t.Fatalf("%q shows %q, and never %q", text, got, want)
			}
		}
	})
}

// FuzzLineSplit: any bytes, in any pieces, show the same.
func FuzzLineSplit(f *testing.F) {
	f.Add([]byte("a\x1b[1mDone\x1b[0m\r\nb\xc3\r\xa4\x1b[3;2Hx\x1b[2;\n"), 4)
	f.Fuzz(func(t *testing.T, in []byte, at int) {
		in = in[:min(len(in), 4<<10)]
		at = min(max(at, 0), len(in))
		whole := fmt.Sprintf("%q", shown(new(Line), string(in)))
		if got := fmt.Sprintf("%q", shown(new(Line), string(in[:at]), string(in[at:]))); got != whole {
			t.Fatalf("split %q at %d: %s, whole %s", in, at, got, whole)
		}
	})
}

func BenchmarkFeed(b *testing.B) {
	for name, line := range map[string]string{
		"plain":   "[12:00:00 INFO]: Preparing spawn area, and this is what a line of such a program looks like: 57 %\r\n",
		"colours": "\x1b[32m[12:00:00 INFO]: \x1b[mPreparing spawn area, and this is what a line of such looks like: \x1b[1m57\x1b[m %\r\n",
		"prompt":  "> \r\x1b[K[12:00:00 INFO]: Preparing spawn area, and this is what a line of such a program looks like\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			chunk := bytes.Repeat([]byte(line), 32<<10/len(line))
			var l Line
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				l.Feed(chunk, func(text []byte) bool { return bytes.Contains(text, []byte("Done")) })
			}
		})
	}
}
