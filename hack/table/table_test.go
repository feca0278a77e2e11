package table

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTableFitsATerminal: no line is wider than 110 characters, whatever a figure says, and no
// word of a cell is lost.
func TestTableFitsATerminal(t *testing.T) {
	var all Table
	all.Add("50 created and running, lightd, against the Docker client alone with its best concurrency",
		"median 5.80 s, least 5.61 s, most 6.02 s in three rounds", "at most 1.5 times raw", true)
	all.Note("  Docker calls of it", strings.Repeat("GET /containers/{id}/json 131, ", 9))
	all.Judge("ratio", "1.02", "at most 1.05", "undecided")
	all.Note("short", strings.Repeat("x", 200))
	var out bytes.Buffer
	if err := all.Print(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 110 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	words := strings.Fields(out.String())
	for _, want := range []string{"concurrency", "rounds", "raw", "met", "undecided", "/containers/{id}/json"} {
		if !slices.Contains(words, want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	if n := strings.Count(out.String(), "x"); n < 200 {
		t.Errorf("%d of 200 characters of a word are left", n)
	}
}

// TestWrap breaks between words, and cuts only words that are wider than a line.
func TestWrap(t *testing.T) {
	for text, want := range map[string][]string{
		"":              {""},
		"one two":       {"one two"},
		"  one two":     {"  one two"},
		"one two three": {"one two", "  three"},
		"abcdefghijklm": {"  abcdefgh", "  ijklm"},
		"ab cdefghijkl": {"ab", "  cdefghij", "  kl"},
	} {
		if got := wrap(text, 10); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
