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

// TestFlagSuggestions: a flag of kubectl or docker is answered with what there is here, a slip of the finger
// with the flag that was meant, and all else with no guess.
func TestFlagSuggestions(t *testing.T) {
	for given, want := range map[string]string{
		"get --selectr a=b": `there is no flag --selectr: did you mean "--selector"?; see "lightd get --help"`, "ps -a": "there is no flag -a: all are shown anyway", "get -A": "there are no namespaces",
		"get -n prod": "unknown shorthand flag", "ls -q": "-o name prints ids alone", "run x --image i -d -- a": `its console is "lightd attach ID"`, "run x --image i --cpus 2 -- a": "it is --cpu",
		"run x --image i --user 0 -- a": "it is a field of the spec", "restart web -t 30": `"lightd patch ID -p 'stop: {timeout: 30s}'"`, "exec --context prod web sh": "run it there; from elsewhere there is \"lightd attach ID\"", "stop web --time 30": "it is -t, or --grace", "stop web -t soon": `--grace "soon" is no time`, "logs -f -t web": "-t is for what Docker's log has", "logs -t --install web": "-t is for what Docker's log has", "describe web -o yaml": `it is "lightd get ID -o yaml"`,
		"rm web --force": `"lightd kill" at once`, "apply -f x --dry-run=client": `--dry-run is given or left out, and takes no value as "client"`, "port list --fre": `did you mean "--free"?`, "get --zzz": "unknown flag: --zzz",
		"serve --take-over --new-instance": "--take-over makes this directory the node, and --new-instance another one",
		"wait web --fro running":           `did you mean "--for"?`, "wait web --timout 1m": `did you mean "--timeout"?`,
	} {
		_, stderr, code := call(t, nil, strings.Fields(given)...)
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d %s", given, code, stderr)
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
