package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/terminal"
)

// TestEveryHelpHasExamples: each command that does something shows how it is called, in lines that it takes.
func TestEveryHelpHasExamples(t *testing.T) {
	root := rootCommand(func(string) string { return "" }, terminal.Streams{})
	lines := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			visit(c)
		}
		if cmd == root || cmd.Hidden || strings.HasPrefix(cmd.CommandPath(), "lightd completion") || cmd.Name() == "help" {
			return
		}
		branch := cmd.HasSubCommands() && cmd.Name() != "get" && cmd.Name() != "webhooks"
		if cmd.Example == "" && !branch {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		example := strings.ReplaceAll(cmd.Example, "\\\n", " ")
		for line := range strings.SplitSeq(example, "\n") {
			if line == "" {
				continue
			}
			if !strings.HasPrefix(line, "  ") || !strings.Contains(line, "lightd ") {
				t.Errorf("%s: the example %q is not indented, or is none", cmd.CommandPath(), line)
			}
			for part := range strings.SplitSeq(line, " | ") {
				part = strings.ReplaceAll(part, "$(lightd volume create)", "VOLUME")
				_, call, is := strings.Cut(part, "lightd ")
				if !is {
					continue
				}
				lines++
				found, rest, err := root.Find(shellWords(call))
				if err == nil {
					err = found.ParseFlags(rest)
				}
				if err != nil || found == root {
					t.Errorf("%s: %s: %v", cmd.CommandPath(), part, err)
				}
			}
		}
	}
	visit(root)
	if lines < 70 {
		t.Errorf("only %d examples were read", lines)
	}
}

// shellWords are the words of a command as a shell reads them, up to where its output goes; or
// other commands go in.
func shellWords(line string) (all []string) {
	word, inside, begun := "", rune(0), false
	for _, r := range strings.ReplaceAll(line, "$(", ">") {
		switch {
		case inside != 0 && r == inside:
			inside = 0
		case inside != 0:
			word += string(r)
		case r == '\'' || r == '"':
			inside, begun = r, true
		case r == '>' || r == '<':
			return all
		case r == ' ':
			if begun || word != "" {
				all = append(all, word)
			}
			word, begun = "", false
		default:
			word += string(r)
		}
	}
	if begun || word != "" {
		all = append(all, word)
	}
	return all
}
