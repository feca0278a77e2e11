package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// The escape codes of colours (ECMA-48). normal ends them.
const (
	bold   = "\x1b[1m"
	Red    = "\x1b[31m"
	Green  = "\x1b[32m"
	Yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	normal = "\x1b[m"
)

// Coloured returns a text in a colour, where there is one.
func Coloured(colour, text string) string {
	if colour == "" || text == "" {
		return text
	}
	return colour + text + normal
}

// Diff writes, in the colours that git has, the unified difference between two texts, which render made, under their
// names; nothing when there is none. It reports whether there is one.
func Diff(out io.Writer, oldName, newName, before, after string, colour bool) (bool, error) {
	text := udiff.Unified(Text(oldName), Text(newName), before, after)
	if text == "" || !colour {
		_, err := io.WriteString(out, text)
		return text != "", err
	}
	for line := range strings.Lines(text) {
		line, end := strings.TrimSuffix(line, "\n"), "\n"
		mark := ""
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"):
			mark = bold
		case strings.HasPrefix(line, "@@"):
			mark = cyan
		case strings.HasPrefix(line, "-"):
			mark = Red
		case strings.HasPrefix(line, "+"):
			mark = Green
		}
		if mark != "" {
			end = normal + end
		}
		if _, err := fmt.Fprint(out, mark, line, end); err != nil {
			return true, err
		}
	}
	return true, nil
}
