package render

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// gap stands between two columns, and narrowGap where they would not fit else.
const (
	gap       = 3
	narrowGap = 2
)

// leastColumn is how narrow a column is made at most to fit.
const leastColumn = 8

// Table writes rows in columns. Rows are held until Flush, which makes the columns as wide
// as the widest value so far: of a table that grows, the columns only widen.
type Table struct {
	out     io.Writer
	columns int
	widths  []int
	words   []int // the longest word of each column
	rows    [][]string
	// limit is how wide a line may be; 0 for as wide as it is. spare are the columns that may be
	// left out then, in that order.
	limit  int
	spare  []int
	fitted bool
	left   []bool
	paint  func(column int, cell string) string
	named  bool // whether the next row to be written names the columns
}

// NewTable returns a Table whose first row names the columns.
func NewTable(out io.Writer, columns ...string) *Table {
	t := NewPlainTable(out, len(columns))
	t.Row(columns...)
	t.named = true
	return t
}

// NewPlainTable returns a Table without such a row.
func NewPlainTable(out io.Writer, columns int) *Table {
	return &Table{out: out, columns: columns, widths: make([]int, columns), words: make([]int, columns), left: make([]bool, columns)}
}

// Fit makes no line wider than limit, unless that is 0. Where the rows of the first Flush do not
// fit, the spare columns are left out, in that order and as far as needed. What is too wide still
// is continued below in its column; the first column, which has the ids, is never broken.
func (t *Table) Fit(limit int, spare ...int) *Table {
	t.limit, t.spare = limit, spare
	return t
}

// Paint colours cells, but for those of the first column: colour returns the escape code that the text of
// a cell begins with, or nothing.
func (t *Table) Paint(colour func(column int, cell string) string) *Table {
	t.paint = colour
	return t
}

// painted is a line of a cell in the colour of the cell.
func (t *Table) painted(column int, cell, line string) string {
	if t.paint == nil || t.named || column == 0 {
		return line
	}
	return Coloured(t.paint(column, cell), line)
}

// Reserve makes columns at least so wide, of a table that grows.
func (t *Table) Reserve(widths ...int) {
	for i, width := range widths[:min(len(widths), t.columns)] {
		t.widths[i] = max(t.widths[i], width)
	}
}

// Row adds a row. An empty cell shows as "-", so that a script can count columns.
func (t *Table) Row(cells ...string) {
	row := make([]string, t.columns)
	for i := range row {
		row[i] = "-"
		if i < len(cells) && cells[i] != "" {
			row[i] = Text(cells[i])
		}
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(row[i]))
		for word := range strings.SplitSeq(row[i], " ") {
			t.words[i] = max(t.words[i], utf8.RuneCountInString(word))
		}
	}
	t.rows = append(t.rows, row)
}

// Flush writes the rows that were added since the last one.
func (t *Table) Flush() error { return t.flush("") }

// FlushIndented is Flush with something before each line.
func (t *Table) FlushIndented(indent string) error { return t.flush(indent) }

func (t *Table) flush(indent string) error {
	var b strings.Builder
	widths, between := t.fit(utf8.RuneCountInString(indent))
	for _, row := range t.rows {
		t.write(&b, indent, row, widths, between)
		t.named = false
	}
	t.rows = nil
	_, err := io.WriteString(t.out, b.String())
	return err
}

// write writes a row, in as many lines as its cells need.
func (t *Table) write(b *strings.Builder, indent string, row []string, widths []int, between int) {
	var cells [][]string
	var columns, index []int
	height := 0
	for i, cell := range row {
		if t.left[i] {
			continue
		}
		lines := []string{cell}
		if t.limit > 0 {
			lines = cellLines(cell, widths[i])
		}
		cells, columns, index, height = append(cells, lines), append(columns, widths[i]), append(index, i), max(height, len(lines))
	}
	for n := range height {
		line := indent
		for i, cell := range cells {
			text := ""
			if n < len(cell) {
				text = cell[n]
			}
			line += t.painted(index[i], row[index[i]], text)
			if i < len(cells)-1 {
				line += strings.Repeat(" ", columns[i]-utf8.RuneCountInString(text)+between)
			}
		}
		if n > 0 {
			line = strings.TrimRight(line, " ")
		}
		b.WriteString(line + "\n")
	}
}

// fit returns how wide the columns are and what stands between them, and decides at the first
// Flush which columns are left out.
func (t *Table) fit(indent int) (widths []int, between int) {
	widths, between = slices.Clone(t.widths), gap
	if t.limit <= 0 {
		return widths, between
	}
	excess := func() int {
		sum, columns := indent, 0
		for i, width := range widths {
			if !t.left[i] {
				sum, columns = sum+width, columns+1
			}
		}
		return sum + between*(columns-1) - t.limit
	}
	if excess() > 0 {
		between = narrowGap
	}
	for _, column := range t.spare {
		if !t.fitted && excess() > 0 {
			t.left[column] = true
		}
	}
	t.fitted = true
	// Between words first, then within the longest of them.
	width, word := func(i int) int { return widths[i] }, func(i int) int { return t.words[i] }
	t.shrink(widths, excess, t.words, width)
	t.shrink(widths, excess, make([]int, t.columns), word)
	return widths, between
}

// shrink takes places, while there is an excess, from the column with the highest rank that is wider
// than its least width. The first column gives none.
func (t *Table) shrink(widths []int, excess func() int, least []int, rank func(column int) int) {
	for excess() > 0 {
		from := -1
		for i := 1; i < t.columns; i++ {
			if !t.left[i] && widths[i] > max(leastColumn, least[i]) && (from < 0 || rank(i) >= rank(from)) {
				from = i
			}
		}
		if from < 0 {
			return
		}
		widths[from]--
	}
}
