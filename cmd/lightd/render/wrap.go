package render

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks the lines of a text between words, so that none has more than width columns, and
// begins each line that it adds with hang. A word is never broken: a path, an id and a URL can be
// copied. Without a width, 0, the text stays as it is.
func Wrap(text string, width int, hang string) string {
	if width <= 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = wrapLine(line, width, hang)
	}
	return strings.Join(lines, "\n")
}

func wrapLine(line string, width int, hang string) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	body := strings.TrimLeft(line, " ")
	var b strings.Builder
	b.WriteString(line[:len(line)-len(body)])
	column, first := len(line)-len(body), true
	for word := range strings.SplitSeq(body, " ") {
		size := utf8.RuneCountInString(word)
		switch {
		case first:
			first = false
		case column+1+size > width:
			b.WriteString("\n" + hang)
			column = utf8.RuneCountInString(hang)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += size
	}
	return b.String()
}

// Reflow joins the lines of each paragraph and wraps them again. A line that is indented, as that of
// a list or an example, stays one.
func Reflow(text string, width int) string {
	var lines []string
	joins := false // whether the next line continues the last one
	for line := range strings.SplitSeq(text, "\n") {
		plain := line != "" && strings.TrimLeft(line, " \t") == line
		if plain && joins {
			lines[len(lines)-1] += " " + line
		} else {
			lines = append(lines, line)
		}
		joins = plain
	}
	return Wrap(strings.Join(lines, "\n"), width, "")
}

// cellLines breaks the text of a cell into lines of at most width columns: between words, and
// within a word that is longer than that.
func cellLines(text string, width int) []string {
	var lines []string
	for line := range strings.SplitSeq(Wrap(text, width, ""), "\n") {
		runes := []rune(line)
		for len(runes) > width {
			lines, runes = append(lines, string(runes[:width])), runes[width:]
		}
		lines = append(lines, string(runes))
	}
	return lines
}
