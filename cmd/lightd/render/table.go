package render

import (
	"io"
	"strings"
	"unicode/utf8"
)

// gap stands between two columns.
const gap = 3

// Table writes rows in columns. Rows are held until Flush, which makes the columns as wide
// as what was seen so far: of a table that goes on, the columns only grow.
type Table struct {
	out     io.Writer
	columns int
	widths  []int
	rows    [][]string
}

// NewTable returns a Table whose first row names the columns.
func NewTable(out io.Writer, columns ...string) *Table {
	t := &Table{out: out, columns: len(columns), widths: make([]int, len(columns))}
	t.Row(columns...)
	return t
}

// NewPlainTable returns a Table without such a row.
func NewPlainTable(out io.Writer, columns int) *Table {
	return &Table{out: out, columns: columns, widths: make([]int, columns)}
}

// Reserve makes columns at least so wide, of a table that goes on.
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
	}
	t.rows = append(t.rows, row)
}

// Flush writes the rows that were added since the last one.
func (t *Table) Flush() error { return t.flush("") }

// FlushIndented is Flush with something before each line.
func (t *Table) FlushIndented(indent string) error { return t.flush(indent) }

func (t *Table) flush(indent string) error {
	var b strings.Builder
	for _, row := range t.rows {
		b.WriteString(indent)
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell)+gap))
			}
		}
		b.WriteByte('\n')
	}
	t.rows = nil
	_, err := io.WriteString(t.out, b.String())
	return err
}
