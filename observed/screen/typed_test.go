package screen

import (
	"strings"
	"testing"
	"time"
)

// TestEchoIsNoOutput goes through what a terminal shows of what was typed. Each step is typed
// ("< "), printed ("> ") or a pause; the program's own text is what is wanted of each line, the last
// one being open.
func TestEchoIsNoOutput(t *testing.T) {
	for name, c := range map[string]struct {
		steps []string
		want  string
	}{
		"a line and its answer":        {[]string{"< Done\n", "> Done\r\n", "> Done\r\n"}, "|Done|"},
		"all at once":                  {[]string{"< Done\n", "> Done\r\nDone\r\n"}, "|Done|"},
		"behind a prompt":              {[]string{"> $ ", "< Done\n", "> Done\r\n$ "}, "$ |$ "},
		"before Enter":                 {[]string{"> $ ", "< Done", "> Done"}, "$ "},
		"key by key":                   {[]string{"< D", "> D", "< o", "> o", "< n", "> n", "< e", "> e", "< \r", "> \r\n"}, "|"},
		"output behind it":             {[]string{"< Do", "> Do", "> [12:00] Done\r\n"}, "[12:00] Done|"},
		"in pieces":                    {[]string{"< say Done\n", "> say Do", "> ne\r\nup\r\n"}, "|up|"},
		"corrected":                    {[]string{"< Dx", "> Dx", "< \x7f", "> \b \b", "< one\n", "> one\r\n"}, "|"},
		"taken back":                   {[]string{"> $ ", "< Done", "> Done", "< \x05\x15stop\n", "> ^E\b \b\b \b\b \b\b \b\b \b\b \bstop\r\n"}, "$ |"},
		"cancelled":                    {[]string{"< Done", "> Done", "< \x03", "> ^C", "> $ "}, "$ "},
		"drawn again by a line editor": {[]string{"> $ ", "< Done", "> \r\x1b[K$ Done", "> \r\x1b[K[INFO] up\r\n$ Done"}, "[INFO] up|$ "},
		"a control character":          {[]string{"< a\x01b\n", "> a^Ab\r\n"}, "|"},
		"no echo":                      {[]string{"< start\n", "> starting\r\nDone\r\n"}, "starting|Done|"},
		"a key that is not echoed":     {[]string{"< e", "> Done\r\n"}, "Done|"},
		"and output without its end":   {[]string{"< e", "> Done", "> \r\n"}, "Done|"},
		"long ago":                     {[]string{"< Done\n", "", "> Done\r\n"}, "Done|"},
		"two lines":                    {[]string{"< one\ntwo\n", "> one\r\ntwo\r\n", "> one\r\ntwo\r\n"}, "||one|two|"},
		"one that was not echoed":      {[]string{"< secret\n", "< Done\n", "> \r\nDone\r\n", "> secret\r\n"}, "||secret|"},
		"of several bytes":             {[]string{"< grüße\n", "> grüße\r\ngrüße\r\n"}, "|grüße|"},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1e9, 0)
			typed := &Typed{}
			l := Line{Typed: typed}
			var got strings.Builder
			for _, step := range c.steps {
				switch {
				case step == "":
					now = now.Add(time.Minute)
				case step[0] == '<':
					typed.Write([]byte(step[2:]), now)
				default:
					typed.Expire(now)
					last := ""
					for _, p := range strings.SplitAfter(step[2:], "\n") {
						l.Feed([]byte(p), func(text []byte) bool { last = string(text); return false })
						if strings.HasSuffix(p, "\n") {
							got.WriteString(last + "|")
						}
					}
				}
			}
			got.Write(l.Show())
			if got.String() != c.want {
				t.Errorf("shows %q, want %q", got.String(), c.want)
			}
		})
	}
}
