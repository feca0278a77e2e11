package engine

import (
	"testing"

	cerrdefs "github.com/containerd/errdefs"
)

// TestUserOfAnImageIsOneWord: the USER of an image is whatever its maker wrote, and becomes part of an
// instruction.
func TestUserOfAnImageIsOneWord(t *testing.T) {
	for _, good := range []string{"", "0", "0:0", "1000:1000", "steam", "www-data:www-data", "_apt", "a.b:c.d"} {
		if err := CheckUser(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"0\nENV A=1", "\n", "0\r", "0 0", "$PATH", "${A}", "a\\", "`", "-R", "a:", ":a", "a:b:c", "0\x00", "a\u2028b", "#", "\"a\""} {
		if err := CheckUser(bad); !cerrdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v", bad, err)
		}
		if _, err := (&Engine{}).Commit(t.Context(), "a", "b:c", bad); !cerrdefs.IsInvalidArgument(err) {
			t.Errorf("%q is kept: %v", bad, err)
		}
	}
}
