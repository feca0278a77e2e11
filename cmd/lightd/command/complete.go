package command

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/remote"
)

// completeWithin bounds what a person waits for a completion.
const completeWithin = 2 * time.Second

// completeIDs offers the ids of the containers that the daemon has, with what they are.
func (a *app) completeIDs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var flags remote.Flags
	flags.Server, _ = cmd.Flags().GetString("server")
	flags.Context, _ = cmd.Flags().GetString("context")
	flags.TokenFile, _ = cmd.Flags().GetString("token-file")
	s, err := a.dial(flags)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	listing, err := s.List(ctx, "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	offers := make([]cobra.Completion, 0, len(listing.Containers))
	for _, c := range listing.Containers {
		if !slices.Contains(args, c.InternalID) {
			offers = append(offers, cobra.CompletionWithDesc(c.InternalID, string(c.State)+", "+c.Image))
		}
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}

// completeOne is completeIDs for commands that take one id.
func (a *app) completeOne(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeIDs(cmd, args, toComplete)
}

// completeContexts offers the names of the stored contexts.
func (a *app) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	contexts, err := remote.Load(remote.Path(a.Getenv))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	offers := make([]cobra.Completion, 0, len(contexts.Contexts))
	for _, name := range contexts.Names() {
		offers = append(offers, cobra.CompletionWithDesc(name, contexts.Contexts[name].Server))
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}
