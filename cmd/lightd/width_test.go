package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

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
