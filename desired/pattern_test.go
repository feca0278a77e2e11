package desired

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"testing"
	"time"
)

// TestExpensivePatternsAreRefused at once, by their size alone.
func TestExpensivePatternsAreRefused(t *testing.T) {
	attack := strings.Repeat("(?:.?){999}", 46)
	began := time.Now()
	for range 100 {
		for _, pattern := range []string{attack[:506], "(?:.?){999}", "((((a{10}){10}){10}))", `(\pL{20}|x){45}`, "(a?){501}", "(?:(?:ab?c){15}){50}"} {
			if err := CheckPattern(pattern); err == nil || !strings.Contains(err.Error(), "1000 instructions") {
				t.Fatalf("%.20s: %v", pattern, err)
			}
		}
	}
	if took := time.Since(began); took > 3*time.Second { // it is 30 ms; compiling them takes 10 s
		t.Errorf("600 checks took %s", took)
	}
	for _, pattern := range []string{strings.Repeat("x", maxPattern), `(?i)^\[[0-9:]{8}\] \[Server thread/INFO\]: Done \([0-9.,]{1,9}s\)! For help`, "", "(a+)+$", `\d{1,3}(\.\d{1,3}){3}`} {
		if err := CheckPattern(pattern); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// FuzzPattern: no pattern that passes has a larger program than is promised.
func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{"(?:.?){999}", "a{3,}b*", "(a|b|cd)+?", `\pL{30}`, "(?:){9}", "(a{2,3}){0,4}", "[^a]?", "x{0}"} {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if CheckPattern(pattern) != nil {
			return
		}
		tree, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		program, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if got := len(program.Inst); got > 2*maxPatternSize+10 {
			t.Error(fmt.Sprintf("%q", pattern), got)
		}
	})
}
