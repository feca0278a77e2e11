package stdin

import (
	"strings"
	"testing"
)

// TestOpenInputIsBounded: a client that never ends its line.
func TestOpenInputIsBounded(t *testing.T) {
	var in Input
	for range 100 {
		if !in.add(false, []byte(strings.Repeat("x", 1000))) {
			t.Fatal("the line is not open")
		}
	}
	if cap(in.open) > 4*maxOpenInput || !in.partial || in.typedAgain() != nil {
		t.Errorf("keeps %d bytes", cap(in.open))
	}
	if in.add(false, []byte("\n")) || in.partial || len(in.open) > 0 {
		t.Error("the line has no end")
	}
}
