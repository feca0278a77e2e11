package render

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Console writes console output to a terminal: colours and line breaks take effect, and every
// other control character, which could retitle the window, move the cursor over other output or
// have the terminal answer, is escaped as Text does.
type Console struct {
	out io.Writer
	// held is the beginning of a sequence or letter whose rest has not come.
	held     []byte
	coloured bool
}

// NewConsole returns a Console on out. It is used by one goroutine, and ended by Close.
func NewConsole(out io.Writer) *Console { return &Console{out: out} }

// maxColour is the length of the longest sequence that is taken for a colour.
const maxColour = 32

var (
	colour      = regexp.MustCompile(`^\x1b\[[0-9;]*m`)
	colourBegun = regexp.MustCompile(`^\x1b(\[[0-9;]*)?$`)
)

// Write implements io.Writer. It returns the length of b, or an error of the terminal.
func (c *Console) Write(b []byte) (int, error) { return len(b), c.write(b, false) }

// Close writes what is held, and ends a colour that the output left on. It does not close the
// terminal.
func (c *Console) Close() error { return c.write(nil, true) }

func (c *Console) write(b []byte, last bool) error {
	rest := append(c.held, b...)
	var text strings.Builder
	for len(rest) > 0 && (last || !begun(rest)) {
		n := c.next(&text, rest)
		rest = rest[n:]
	}
	c.held = bytes.Clone(rest)
	if last && c.coloured {
		text.WriteString("\x1b[0m")
	}
	_, err := io.WriteString(c.out, text.String())
	return err
}

// begun reports whether b may be the beginning of something longer that is shown as it is.
func begun(b []byte) bool {
	return len(b) == 1 && b[0] == '\r' || len(b) <= maxColour && colourBegun.Match(b) || !utf8.FullRune(b)
}

// next writes the first letter, line break or sequence of b, and returns its length.
func (c *Console) next(text *strings.Builder, b []byte) int {
	if b[0] == '\n' || b[0] == '\t' {
		text.WriteByte(b[0])
		return 1
	}
	if bytes.HasPrefix(b, []byte("\r\n")) {
		text.WriteByte('\n')
		return 2
	}
	if found := colour.Find(b[:min(len(b), maxColour)]); found != nil && visible(string(found)) {
		c.coloured = true
		text.Write(found)
		return len(found)
	}
	_, n := utf8.DecodeRune(b)
	text.WriteString(Text(string(b[:n])))
	return n
}

// visible reports whether a colour sequence leaves text readable: it does not conceal it. The 8
// of a palette, as in 38;5;8, is a colour.
func visible(sequence string) bool {
	parameters := strings.Split(sequence[len("\x1b["):len(sequence)-1], ";")
	for i := 0; i < len(parameters); i++ {
		switch p := strings.TrimLeft(parameters[i], "0"); {
		case p == "8":
			return false
		case (p == "38" || p == "48") && i+1 < len(parameters) && parameters[i+1] == "5":
			i += 2
		case (p == "38" || p == "48") && i+1 < len(parameters) && parameters[i+1] == "2":
			i += 4
		}
	}
	return true
}
