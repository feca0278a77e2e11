package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"lightd/cmd/lightd/terminal"
)

// TestSuggestions: a word of kubectl or docker is answered with the command here, a slip of the
// finger with the one that was meant, and all else with no guess.
func TestSuggestions(t *testing.T) {
	for given, want := range map[string]string{
		"stats": "is here: top", "list": "is here: get", "remove": "is here: delete", "show": "is here: describe", "PS": "is here: get",
		"gett": `did you mean "get"?`, "aply": `did you mean "apply"?`, "desribe": `did you mean "describe"?`, "stpo": `did you mean "stop"?`, "dleete": `did you mean "delete"?`,
		"dance": "", "tap": "", "xyz": "", "images": "", "s": "",
	} {
		_, stderr, code := call(t, nil, given)
		if code != 2 || !strings.Contains(stderr, fmt.Sprintf("there is no command %q", given)) || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d %s", given, code, stderr)
		}
		if want == "" && (strings.Contains(stderr, "mean") || strings.Contains(stderr, "is here:")) {
			t.Errorf("%s: a guess: %s", given, stderr)
		}
	}
}

// TestHelp reads all help texts.
func TestHelp(t *testing.T) {
	const set = "set-in-the-environment"
	var out bytes.Buffer
	root := rootCommand(func(string) string { return set }, terminal.Streams{In: &out, Out: &out, Err: &out})
	var all func(path []string)
	seen := 0
	all = func(path []string) {
		out.Reset()
		if err := execute(t.Context(), root, append(path, "--help")); err != nil {
			t.Fatalf("%v: %v", path, err)
		}
		if text := out.String(); !strings.Contains(text, "Usage:") || strings.Contains(text, "\x1b") || strings.Contains(text, set) {
			t.Errorf("%v: %s", path, text)
		}
		seen++
		cmd, _, err := root.Find(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cmd.Commands() {
			if c.Short == "" || len(c.Short) > 90 {
				t.Errorf("%s: %q", c.CommandPath(), c.Short)
			}
			if c.Name() != "help" && c.Name() != "completion" {
				all(append(path[:len(path):len(path)], c.Name()))
			}
		}
	}
	all(nil)
	if seen < 35 {
		t.Errorf("only %d helps", seen)
	}
}
