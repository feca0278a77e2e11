package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/docs"
	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
)

func docsCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "docs [TOPIC]",
		Short: "Print the reference: the API, states, tokens, what may be pruned",
		Long:  "Prints the reference text of a topic; without one, lists the topics.",
		Example: `  lightd docs
  lightd docs websocket | less`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (offers []cobra.Completion, _ cobra.ShellCompDirective) {
			for _, t := range docs.Topics {
				if len(args) == 0 {
					offers = append(offers, cobra.CompletionWithDesc(t.Name, t.Short))
				}
			}
			return offers, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return listTopics(streams, terminal.Columns(streams.Out, getenv))
			case 1:
				topic, found := docs.Find(args[0])
				if !found {
					return noTopic(args[0])
				}
				return topic.Write(streams.Out, helpWidth(getenv, streams))
			}
			return usageError{Text: fmt.Sprintf("docs takes one topic, got %d", len(args))}
		},
	}
}

func listTopics(streams terminal.Streams, width int) error {
	table := render.NewTable(streams.Out, "TOPIC", "WHAT IT HAS").Fit(width)
	for _, t := range docs.Topics {
		table.Row(t.Name, t.Short)
	}
	return table.Flush()
}

func noTopic(name string) error {
	text := fmt.Sprintf("docs: there is no topic %q", name)
	if near := docs.Nearest(name); near != "" {
		return usageError{Text: fmt.Sprintf("%s; did you mean %q?", text, near)}
	}
	names := make([]string, len(docs.Topics))
	for i, t := range docs.Topics {
		names[i] = t.Name
	}
	return usageError{Text: text + "; there are " + strings.Join(names, ", ")}
}
