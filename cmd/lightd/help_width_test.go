package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/terminal"
)

// TestHelpFits: no line of any command's help is wider than 80 columns.
func TestHelpFits(t *testing.T) {
	for columns, width := range map[string]int{"": 80, "200": 80, "80": 80} {
		getenv := func(name string) string {
			return map[string]string{"COLUMNS": columns, "HOME": "/home/x", "LIGHTD_CONFIG": "/etc/lightd.yaml"}[name]
		}
		var out bytes.Buffer
		root := rootCommand(getenv, terminal.Streams{In: strings.NewReader(""), Out: &out, Err: &out})
		commands := 0
		var visit func(cmd *cobra.Command)
		visit = func(cmd *cobra.Command) {
			out.Reset()
			cmd.InitDefaultHelpFlag()
			if err := cmd.Help(); err != nil || out.Len() == 0 {
				t.Fatalf("%s: %v", cmd.CommandPath(), err)
			}
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("%s --help at %q: %d columns: %s", cmd.CommandPath(), columns, n, line)
				}
			}
			commands++
			for _, c := range cmd.Commands() {
				visit(c)
			}
		}
		visit(root)
		if commands < 30 {
			t.Errorf("only %d commands were visited", commands)
		}
	}
}

// TestClientConfigMistakes: a mistake in the daemon's file keeps no client command that does not need
// what it is in; a file that cannot be read is a warning where the daemon is given otherwise.
func TestClientConfigMistakes(t *testing.T) {
	dir := t.TempDir()
	secret := "lightd_" + strings.Repeat("ab", 16)
	for name, content := range map[string]string{
		"token": secret + "\n", "unknown.yaml": "data_dir: " + dir + "\nlog_level: loud\nnonsense: 1\ntimeouts: {stop: never}\n", "bad.yaml": "data_dir: [\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ file, url, args, out, fault string }{
		{"unknown.yaml", "", "token show", secret, ""},
		{"unknown.yaml", "http://127.0.0.1:1", "get", "", "cannot be reached"},
		{"bad.yaml", "", "get", "", "--server or LIGHTD_URL"},
		{"bad.yaml", "http://127.0.0.1:1", "get --token-file " + filepath.Join(dir, "token"), "bad.yaml:1: ", "cannot be reached"},
		{"unknown.yaml", "", "token create", "", "--ttl is needed"},
		{"unknown.yaml", "", "wait web", "", "--for is needed"},
	} {
		var out bytes.Buffer
		getenv := func(name string) string {
			return map[string]string{"LIGHTD_CONFIG": filepath.Join(dir, c.file), "LIGHTD_URL": c.url, "HOME": dir}[name]
		}
		err := run(t.Context(), strings.Fields(c.args), getenv, &out, &out)
		if message := command.Message(err); !strings.Contains(message, c.fault) || (c.fault == "") != (err == nil) || !strings.Contains(out.String(), c.out) {
			t.Errorf("%s with %s: got %q and %q", c.args, c.file, out.String(), message)
		}
	}
}
