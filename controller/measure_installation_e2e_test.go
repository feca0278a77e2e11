package controller_test

import (
	"strings"
	"testing"

	"lightd/desired"
	"lightd/observed/status"
)

// TestScriptThatFillsTheDiskOnARealEngine: one that goes on, one that ends before it is measured, one
// that holds an unlinked file open, and those that fill their volume alone.
func TestScriptThatFillsTheDiskOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), bounded)
	n.clean()
	const once = "dd if=/dev/zero of=$AT/junk bs=1M count=64 2>/dev/null"
	for id, c := range map[string]struct {
		script string
		failed bool
	}{
		"fills-on":           {"AT=/; echo filling; while true; do " + once + "; sleep 1; done", true},
		"fills-once":         {"AT=/; echo filling; " + once, true},
		"unlinked":           {"echo filling; exec 3>/junk; rm /junk; dd if=/dev/zero bs=1M count=64 2>/dev/null >&3; sleep 25; exit 0", true},
		"unlinked-in-volume": {"echo filling; exec 3>./junk; rm ./junk; dd if=/dev/zero bs=1M count=64 2>/dev/null >&3; sleep 18; exit 0", false},
		"volume":             {"AT=.; echo filling; " + once, false},
		"little":             {"AT=/tmp; echo filling; touch $AT/tool", false},
	} {
		n.create(id, func(s *desired.Spec) { s.InstallScript = c.script })
		st := n.wait(id, "at its end", func(st status.Status) bool { return st.InstallState != status.Installing })
		if failed := st.InstallState == status.Failed; failed != c.failed {
			t.Errorf("%s: %s; events %s", id, st.InstallState, n.eventTexts(id))
		}
		said := strings.Contains(n.eventTexts(id), "Error: the installation wrote more than 4m outside the volume (containers.max_installation)")
		if said != c.failed || (st.Install.Snapshot != "") != (id == "little") {
			t.Errorf("%s: snapshot %q; events %s", id, st.Install.Snapshot, n.eventTexts(id))
		}
	}
}
