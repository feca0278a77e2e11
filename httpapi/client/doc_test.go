package client_test

import (
	"os"
	"strings"
	"testing"

	"lightd/httpapi/client"
)

// TestDocIsCompiled: each line of code in the package comment is one of an example, which is compiled
// and run.
func TestDocIsCompiled(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	compiled := map[string]bool{"...": true}
	for line := range strings.Lines(string(source)) {
		compiled[strings.TrimSpace(line)] = true
	}
	lines := 0
	for line := range strings.Lines(client.Doc) {
		if code, is := strings.CutPrefix(line, "//\t"); is {
			if lines++; !compiled[strings.TrimSpace(code)] {
				t.Errorf("no example has the line %q", strings.TrimSpace(code))
			}
		}
	}
	if lines < 10 {
		t.Errorf("only %d lines of code were found", lines)
	}
}
