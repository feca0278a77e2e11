package desired

import (
	"fmt"
	"regexp/syntax"
)

// maxPatternSize bounds the compiled program of a start pattern, in instructions: what a byte of
// output can cost grows with it. A literal of the longest pattern is below.
const maxPatternSize = 1000

// CheckPattern reports why a start pattern is none. It compiles nothing: the work of it is bounded by
// the length of the pattern.
func CheckPattern(pattern string) error {
	if len(pattern) > maxPattern {
		return fmt.Errorf("must be at most %d bytes", maxPattern)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("must be an RE2 expression: %w", err)
	}
	if programSize(tree) > maxPatternSize {
		return fmt.Errorf("its compiled program must have at most %d instructions: repeat less", maxPatternSize)
	}
	return nil
}

// PatternSize returns how many instructions the program of a start pattern has at most; 0 of one that
// cannot be compiled.
func PatternSize(pattern string) int {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	return programSize(tree)
}

// programSize returns how many instructions a compiled expression has at most, as package
// regexp/syntax counts them before it compiles. It stops counting above the bound.
func programSize(re *syntax.Regexp) int {
	size := 0
	for _, sub := range re.Sub {
		if size += programSize(sub); size > maxPatternSize {
			return size
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCapture, syntax.OpStar:
		return 2 + size
	case syntax.OpPlus, syntax.OpQuest:
		return 1 + size
	case syntax.OpAlternate:
		return size + len(re.Sub) - 1
	case syntax.OpRepeat:
		if re.Max < 0 {
			return 2 + max(1, re.Min)*size
		}
		return re.Max*size + re.Max - re.Min
	}
	return max(1, size)
}
