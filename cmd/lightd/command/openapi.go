package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/explain"
	"lightd/httpapi"
)

func (a *app) openapi() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "openapi",
		Short:   "Print the OpenAPI 3.1 document of the HTTP interface",
		Long:    "Prints the OpenAPI 3.1 document of the HTTP interface, as this program's own daemon serves it at /openapi.json.",
		Example: "  lightd openapi > openapi.json\n  lightd openapi -o jsonpath='{.info.version}'",
		Args:    NoArgs,
	}
	form := OutputFlag(cmd, FormJSON, FormYAML)
	cmd.RunE = func(*cobra.Command, []string) error {
		document, text, err := httpapi.OpenAPI()
		if err != nil {
			return err
		}
		if *form != FormJSON {
			return a.encode(*form, document)
		}
		_, err = fmt.Fprintf(a.Streams.Out, "%s\n", text)
		return err
	}
	return cmd
}

func (a *app) explain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [FIELD]",
		Short: "Tell what the fields of a spec are, and those that a daemon adds",
		Example: `  lightd explain
  lightd explain limits.memory
  lightd explain conditions`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("explain takes one field, got %d", len(args))
			}
			return nil
		},
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return explain.Complete(toComplete), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		path := ""
		if len(args) > 0 {
			path = args[0]
		}
		field, err := explain.Find(path)
		if err != nil {
			return coded{err, ExitNotFound}
		}
		return field.Write(a.Streams.Out, a.columns(a.Streams.Out))
	}
	return cmd
}
