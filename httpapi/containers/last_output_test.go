package containers

import (
	"slices"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	long := strings.Repeat("ä", outputLine)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":          {"", nil},
		"an open line":     {"a\n\nb", []string{"a", "b"}},
		"more than enough": {"1\n2\n3\n4\n5\n6\n7", []string{"3", "4", "5", "6", "7"}},
		"colours":          {"\x1b[31mError\x1b[0m: \x1b[1mno\r\n", []string{"Error: no"}},
		"a progress bar":   {"10%\r\x1b[Kdone\n", []string{"done"}},
		"a long line":      {long + "\nnext", []string{long[:outputLine] + "...", "next"}},
		"a very long line": {strings.Repeat("x", 1<<20) + "\nnext", []string{strings.Repeat("x", outputLine) + "...", "next"}},
		"no text":          {"\xff\x00\n", []string{"\uFFFD"}},
	} {
		if got := tail(strings.NewReader(c.text)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
