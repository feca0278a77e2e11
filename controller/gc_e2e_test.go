package controller_test

import (
	"testing"
)

// TestCyclesOnARealEngine are fewer, and leave the engine as they found it.
func TestCyclesOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	n.runLifecycles([]string{"cycle-a", "cycle-b", "cycle-c", "cycle-d"}, 5, "echo tool > /usr/tool")
	n.checkNothingLeft(func() (names []string) {
		listed, err := n.engine.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range listed {
			names = append(names, l.Names...)
		}
		return names
	})
}
