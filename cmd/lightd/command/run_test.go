package command

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestShellLine: a shell reads the words that were given.
func TestShellLine(t *testing.T) {
	for _, words := range [][]string{
		{"printf", "%s\\n", "a b", "it's", "", "$HOME", "`id`", "*", "~", "a\nb", "--x=y", "é", "!"}, {"/bin/echo", "a=b", "c"},
	} {
		line := shellLine(append([]string{"printf", "[%s]"}, words...))
		out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", line).Output()
		if want := "[" + strings.Join(words, "][") + "]"; err != nil || string(out) != want {
			t.Errorf("%q: %v, %q, want %q", line, err, out, want)
		}
	}
	for want, words := range map[string][]string{"./start && exit": {"./start && exit"}, "nginx -g 'daemon off;'": {"nginx", "-g", "daemon off;"}, "'A=b' c": {"A=b", "c"}} {
		if got := shellLine(words); got != want {
			t.Errorf("%q: %s, want %s", words, got, want)
		}
	}
}

func TestNewUUID(t *testing.T) {
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	var all []string
	for range 100 {
		id := newUUID()
		if !shape.MatchString(id) || slices.Contains(all, id) {
			t.Errorf("%s", id)
		}
		all = append(all, id)
	}
}

func TestAssignments(t *testing.T) {
	lookup := func(name string) string { return map[string]string{"HERE": "x"}[name] }
	all, err := assignments("env", []string{"A=b=c", "E=", "HERE"}, lookup)
	if err != nil || len(all) != 3 || all["A"] != "b=c" || all["E"] != "" || all["HERE"] != "x" {
		t.Errorf("%v, %v", all, err)
	}
	for text, want := range map[string]string{"NOT": "has no value, and none is set here", "=x": "is not as in a=b", "A=1": "--env A is given twice"} {
		if _, err := assignments("env", []string{"A=0", text}, lookup); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := assignments("label", []string{"a"}, nil); err == nil || !strings.Contains(err.Error(), "is not as in a=b") {
		t.Error(err)
	}
}
