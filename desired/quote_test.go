package desired

import (
	"strings"
	"testing"
)

// TestQuote: a text is shown on one line, and as it is where that leaves no doubt.
func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                       `""`,
		"Done":                   `"Done"`,
		"it's done":              `"it's done"`,
		`"Done"`:                 `'"Done"'`,
		`Done \([0-9.]+s\)!`:     `'Done \([0-9.]+s\)!'`,
		`"it's"`:                 `"\"it's\""`,
		"\"two\nlines\"":         `"\"two\nlines\""`,
		"\\\x1b[31m":             `"\\\x1b[31m"`,
		"\\\xff":                 `"\\\xff"`,
		strings.Repeat("a", 100): `"` + strings.Repeat("a", 64) + `"...`,
		strings.Repeat(`"`, 100): `'` + strings.Repeat(`"`, 64) + `'...`,
	} {
		if got := Quote(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
