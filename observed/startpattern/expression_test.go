package startpattern

import (
	"regexp"
	"testing"

	"lightd/desired"
)

func TestNeededText(t *testing.T) {
	for pattern, want := range map[string]string{
		`Done`:                      "Done",
		`^Done \(\d+ s\)!$`:         "Done (",
		`Server.*ready`:             "Server",
		`Listening on port \d+`:     "Listening on port ",
		`(a|b) is up`:               " is up",
		`Done|Ready`:                "",
		`(?i)done`:                  "",
		`(?i:server) is (up){2}`:    " is ",
		`(?:Hello)+`:                "Hello",
		`(?:Hello)*`:                "",
		`(?:Hello){0,3}`:            "",
		`(?:Hello){2}`:              "Hello",
		`(?P<name>Hello)?, world`:   ", world",
		`\d+`:                       "",
		"\ufffd":                    "",
		`^\d+ .*never printed \d+$`: "never printed ",
		``:                          "",
	} {
		e, err := compileExpression(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(e.needed); got != want {
			t.Errorf("%s needs %q, want %q", pattern, got, want)
		}
	}
}

// FuzzExpression: it matches what the regular expression matches.
func FuzzExpression(f *testing.F) {
	for _, pattern := range []string{`^Done \(\d+ s\)$`, `a+b|c`, `(?i)dONE`, "\ufffd", `x{0,2}yy`, `(ab)+c?`, `[^a]b`, `(?s).b`} {
		for _, text := range []string{"Done (3 s)", "aab", "doné", "\xff", "xyy", "ababab", "\nb", ""} {
			f.Add(pattern, []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, pattern string, text []byte) {
		re, err := regexp.Compile(pattern)
		if err == nil {
			err = desired.CheckPattern(pattern)
		}
		e, ours := compileExpression(pattern)
		if (err == nil) != (ours == nil) {
			t.Fatalf("compile %q: %v, and %v", pattern, err, ours)
		}
		if err == nil && e.match(text) != re.Match(text) {
			t.Errorf("%q and %q: %v", pattern, text, e.match(text))
		}
	})
}

func expressionOf(t *testing.T, pattern string) *expression {
	t.Helper()
	e, err := compileExpression(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
