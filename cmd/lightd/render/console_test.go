package render_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"lightd/cmd/lightd/render"
)

func console(t testing.TB, chunks ...string) string {
	t.Helper()
	var out bytes.Buffer
	c := render.NewConsole(&out)
	for _, chunk := range chunks {
		if n, err := c.Write([]byte(chunk)); n != len(chunk) || err != nil {
			t.Fatalf("wrote %d of %d bytes: %v", n, len(chunk), err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestConsoleOutputOnATerminal(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"text":                      {"grün\tund\nblau", "grün\tund\nblau"},
		"line breaks of a terminal": {"a\r\nb\r\n", "a\nb\n"},
		"written over":              {"10%\r20%\n", `10%\r20%` + "\n"},
		"colours":                   {"\x1b[1;32mok\x1b[0m\n", "\x1b[1;32mok\x1b[0m\n\x1b[0m"},
		"a colour of the palette":   {"\x1b[38;5;8mgrey", "\x1b[38;5;8mgrey\x1b[0m"},
		"a colour by its parts":     {"\x1b[48;2;8;8;8mgrey", "\x1b[48;2;8;8;8mgrey\x1b[0m"},
		"concealed text":            {"\x1b[8mhidden", `\x1b[8mhidden`},
		"concealed, with zeros":     {"\x1b[1;008mhidden", `\x1b[1;008mhidden`},
		"a window's title":          {"\x1b]0;owned\a", `\x1b]0;owned\a`},
		"the clipboard":             {"\x1b]52;c;cm0gLXJm\x1b\\", `\x1b]52;c;cm0gLXJm\x1b\`},
		"the cursor":                {"\x1b[2J\x1b[1;1H", `\x1b[2J\x1b[1;1H`},
		"a question":                {"\x1b[6n\x1bZ", `\x1b[6n\x1bZ`},
		"C1":                        {"\u009b2J", `\u009b2J`},
		"a change of direction":     {"a\u202eb", `a\u202eb`},
		"no UTF-8":                  {"a\xff\x9b2J", `a\xff\x9b2J`},
		"an endless colour":         {"\x1b[" + strings.Repeat("1;", 100) + "m", `\x1b[` + strings.Repeat("1;", 100) + "m"},
		"a sequence cut off":        {"a\x1b[3", `a\x1b[3`},
		"a letter cut off":          {"a\xc3", `a\xc3`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := console(t, c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got := console(t, strings.Split(c.in, "")...); strings.ToValidUTF8(c.in, "") == c.in && got != c.want {
				t.Errorf("in pieces: got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzConsole: nothing but colours and line breaks reaches a terminal, however the output comes.
func FuzzConsole(f *testing.F) {
	f.Add("\x1b[1m\x1b]0;x\a", 3)
	f.Add("a\r\n\xe2\x82", 1)
	colours := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	f.Fuzz(func(t *testing.T, in string, at int) {
		whole := console(t, in)
		if at >= 0 && at <= len(in) {
			if pieces := console(t, in[:at], in[at:]); pieces != whole {
				t.Errorf("in two pieces %q, else %q", pieces, whole)
			}
		}
		for _, line := range strings.FieldsFunc(colours.ReplaceAllString(whole, ""), func(r rune) bool { return r == '\n' || r == '\t' }) {
			if render.Text(line) != line {
				t.Errorf("a control character is in %q", line)
			}
		}
	})
}
