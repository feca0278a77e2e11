package suggest_test

import (
	"strings"
	"testing"

	"lightd/httpapi/suggest"
)

func TestNearest(t *testing.T) {
	known := []string{"get", "delete", "describe", "drift", "diff", "stop", "start"}
	for _, tc := range []struct {
		given string
		limit int
		want  string
	}{
		{"delete", 1, "delete"},
		{"dleete", 1, "delete"}, // two letters swapped are one edit
		{"desribe", 1, "describe"},
		{"starts", 1, "start"},
		{"srat", 1, ""},
		{"srat", 2, "start"},
		{"stort", 1, "start"},
		{"strop", 1, "stop"},
		{"diift", 1, "drift"},
		{"dift", 1, ""}, // one edit from drift as well as from diff
		{"", 2, ""},
		{"other", 2, ""},
		{strings.Repeat("x", 65), 65, ""},
	} {
		if got := suggest.Nearest(tc.given, known, tc.limit); got != tc.want {
			t.Errorf("%q within %d: %q, want %q", tc.given, tc.limit, got, tc.want)
		}
	}
}
