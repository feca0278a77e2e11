package controller_test

import (
	"strings"
	"testing"

	"lightd/observed/engine"
)

// eventTexts returns the events of a container with their messages.
func (n *node) eventTexts(id string) string {
	page, _, err := n.journal.Page(id, 0, 1000)
	if err != nil {
		n.t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range page {
		b.WriteString(string(e.Type) + ": " + e.Message + "; ")
	}
	return b.String()
}

// TestRootIDsOfAnEngine that maps nobody.
func TestRootIDsOfAnEngine(t *testing.T) {
	_, n := onSim(t)
	if uid, gid, err := n.engine.RootIDs(t.Context()); uid != 0 || gid != 0 || engine.Classify(err) != engine.None {
		t.Errorf("%d:%d, %v", uid, gid, err)
	}
}
