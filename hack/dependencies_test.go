package hack_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDirectDependenciesHaveReasons: a module that lightd requires itself says in go.mod what
// for, as whoever maintains it has to know.
func TestDirectDependenciesHaveReasons(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`(?m)^\t(\S+) v\S+(.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(required) == 0 {
		t.Fatal("no requirement found")
	}
	for _, r := range required {
		if reason := strings.TrimSpace(r[2]); len(reason) < len("// a reason") {
			t.Errorf("%s has no reason: %q", r[1], reason)
		}
	}
}
