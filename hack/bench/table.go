package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// row is one figure. Target and verdict stay empty where there is nothing to meet.
type row struct{ what, figure, target, verdict string }

type table []row

// note adds a figure without a target.
func (t *table) note(what, figure string) { *t = append(*t, row{what: what, figure: figure}) }

// add adds a figure with its target.
func (t *table) add(what, figure, target string, met bool) {
	verdict := "MISSED"
	if met {
		verdict = "met"
	}
	*t = append(*t, row{what, figure, target, verdict})
}

// The widths of the columns, in characters. A whole line has at most 110.
const (
	whatWidth    = 42
	figureWidth  = 36
	targetWidth  = 18
	verdictWidth = 8 // MISSED in one piece: wrap keeps two for an indent
)

// print writes the table; a cell that is wider than its column goes on in the next line.
func (t table) print(to io.Writer) error {
	all := append(table{{"MEASURED", "FIGURE", "TARGET", ""}}, t...)
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

// quantile returns the value below which the part q of all lies, by the nearest rank.
func quantile(all []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// ms prints a duration in milliseconds, with as many digits as mean something.
func ms(d time.Duration) string {
	digits := 2
	if d >= 100*time.Millisecond {
		digits = 0
	}
	return fmt.Sprintf("%.*f ms", digits, float64(d)/float64(time.Millisecond))
}

func spread(all []time.Duration) string {
	return fmt.Sprintf("median %s, p99 %s, most %s", ms(median(all)), ms(quantile(all, 0.99)), ms(slices.Max(all)))
}
