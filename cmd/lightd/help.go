package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// writeUsage returns what writes the usage of a command, as cobra's own does, with its flags wrapped at width. Cobra
// could be given a template instead; but what links text/template keeps each method of each type in the binary,
// called or not, which is a fifth of it.
func writeUsage(width int) func(cmd *cobra.Command) error {
	return func(cmd *cobra.Command) error {
		var text strings.Builder
		text.WriteString("Usage:")
		if cmd.Runnable() {
			fmt.Fprintf(&text, "\n  %s", cmd.UseLine())
		}
		if cmd.HasAvailableSubCommands() {
			fmt.Fprintf(&text, "\n  %s [command]", cmd.CommandPath())
		}
		if len(cmd.Aliases) > 0 {
			fmt.Fprintf(&text, "\n\nAliases:\n  %s", cmd.NameAndAliases())
		}
		if cmd.HasExample() {
			fmt.Fprintf(&text, "\n\nExamples:\n%s", cmd.Example)
		}
		for _, group := range cmd.Groups() {
			writeCommands(&text, cmd, group.Title, group.ID)
		}
		if cmd.HasAvailableSubCommands() && !cmd.AllChildCommandsHaveGroup() {
			title := "Available Commands:"
			if len(cmd.Groups()) > 0 {
				title = "Additional Commands:"
			}
			writeCommands(&text, cmd, title, "")
		}
		if cmd.HasAvailableLocalFlags() {
			fmt.Fprintf(&text, "\n\nFlags:\n%s", strings.TrimRight(cmd.LocalFlags().FlagUsagesWrapped(width), "\n "))
		}
		if cmd.HasAvailableInheritedFlags() {
			fmt.Fprintf(&text, "\n\nGlobal Flags:\n%s", strings.TrimRight(cmd.InheritedFlags().FlagUsagesWrapped(width), "\n "))
		}
		if cmd.HasAvailableSubCommands() {
			fmt.Fprintf(&text, "\n\nUse \"%s [command] --help\" for more information about a command.", cmd.CommandPath())
		}
		_, err := fmt.Fprintln(cmd.OutOrStderr(), text.String())
		return err
	}
}

// writeCommands lists the commands below cmd that are in a group.
func writeCommands(to io.Writer, cmd *cobra.Command, title, group string) {
	fmt.Fprintf(to, "\n\n%s", title)
	for _, c := range cmd.Commands() {
		if c.GroupID == group && (c.IsAvailableCommand() || c.Name() == "help") {
			fmt.Fprintf(to, "\n  %-*s %s", c.NamePadding(), c.Name(), c.Short)
		}
	}
}
