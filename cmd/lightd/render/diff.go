package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// The colours of a difference, as git has them.
const (
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	cyan   = "\x1b[36m"
	normal = "\x1b[m"
)

// Diff writes the unified difference between two texts, which render made, under their
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
			mark = red
		case strings.HasPrefix(line, "+"):
			mark = green
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
