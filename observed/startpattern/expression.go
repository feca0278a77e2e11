package startpattern

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"lightd/desired"
	"lightd/observed/screen"
)

// expression is a regular expression that excludes quickly most texts that do not
// match: a search for fixed text costs a small part of what the expression does.
type expression struct {
	re *regexp.Regexp
	// needed is a text that is in all that match; empty when none is known.
	needed []byte
	// longest is the longest line that is matched, in bytes.
	longest int
}

// lineBudget bounds what one line costs, in bytes times instructions: every line for a program of 128
// instructions, one of 8 KiB for one of the largest.
const lineBudget = 128 * screen.MaxLine

// compileExpression compiles a start pattern; desired.CheckPattern bounds its size.
func compileExpression(text string) (*expression, error) {
	if err := desired.CheckPattern(text); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	e := &expression{re: re, longest: lineBudget / max(1, desired.PatternSize(text))}
	if tree, err := syntax.Parse(text, syntax.Perl); err == nil {
		e.needed = []byte(needed(tree))
	}
	return e, nil
}

func (e *expression) match(text []byte) bool {
	return len(text) <= e.longest && bytes.Contains(text, e.needed) && e.re.Match(text)
}

// needed returns the longest text that is known to be in all that re matches.
func needed(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		text := string(re.Rune)
		// U+FFFD also matches bytes that are part of no character.
		if re.Flags&syntax.FoldCase != 0 || strings.ContainsRune(text, utf8.RuneError) {
			return ""
		}
		return text
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needed(re.Sub[0])
		}
	case syntax.OpConcat:
		longest := ""
		for _, sub := range re.Sub {
			if text := needed(sub); len(text) > len(longest) {
				longest = text
			}
		}
		return longest
	}
	return ""
}
