// Package table prints figures with what they have to be, for people: in lines of at most 110
// characters, whatever a figure says.
package table

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// row is one figure. Target and verdict stay empty where there is nothing to meet.
type row struct{ what, figure, target, verdict string }

// Table is a list of figures. Its zero value is empty.
type Table []row

// Note adds a figure without a target.
func (t *Table) Note(what, figure string) { *t = append(*t, row{what: what, figure: figure}) }

// Add adds a figure with its target, and whether that is met.
func (t *Table) Add(what, figure, target string, met bool) {
	verdict := "MISSED"
	if met {
		verdict = "met"
	}
	t.Judge(what, figure, target, verdict)
}

// Judge adds a figure with its target and any verdict on it.
func (t *Table) Judge(what, figure, target, verdict string) {
	*t = append(*t, row{what, figure, target, verdict})
}

// The widths of the columns, in characters. A whole line has at most 110.
const (
	whatWidth    = 42
	figureWidth  = 33
	targetWidth  = 18
	verdictWidth = 11 // undecided in one piece: wrap keeps two for an indent
)

// Print writes the table; a cell that is wider than its column goes on in the next line.
func (t Table) Print(to io.Writer) error {
	all := append(Table{{"MEASURED", "FIGURE", "TARGET", ""}}, t...)
	for _, r := range all {
		cells := [][]string{wrap(r.what, whatWidth), wrap(r.figure, figureWidth), wrap(r.target, targetWidth), wrap(r.verdict, verdictWidth)}
		for i := range max(len(cells[0]), len(cells[1]), len(cells[2]), len(cells[3])) {
			part := func(cell []string) string {
				if i < len(cell) {
					return cell[i]
				}
				return ""
			}
			line := fmt.Sprintf("%-*s  %-*s  %-*s  %s", whatWidth, part(cells[0]), figureWidth, part(cells[1]), targetWidth, part(cells[2]), part(cells[3]))
			if _, err := fmt.Fprintln(to, strings.TrimRight(line, " ")); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrap breaks text between words into lines of at most width characters, each but the first
// indented; a word that is wider is cut. Leading blanks of the text stay.
func wrap(text string, width int) []string {
	const indent = "  "
	var lines []string
	line := text[:len(text)-len(strings.TrimLeft(text, " "))]
	empty := true
	for _, word := range strings.Fields(text) {
		for utf8.RuneCountInString(word) > width-len(indent) {
			if !empty {
				lines = append(lines, line)
			}
			cut := []rune(word)[:width-len(indent)]
			lines, line, empty = append(lines, indent+string(cut)), indent, true
			word = strings.TrimPrefix(word, string(cut))
		}
		switch {
		case empty:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = indent + word
		default:
			line += " " + word
		}
		empty = false
	}
	return append(lines, line)
}
