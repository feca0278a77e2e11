package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/cliconfig"
	"lightd/cmd/lightd/render"
	"lightd/desired"
)

// completeWithin bounds what a person waits for a completion.
const completeWithin = 2 * time.Second

// completeIDs offers the ids of the containers that the daemon has, with what they are.
func (a *app) completeIDs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, args, func(ctx context.Context, s *session, offer func(id, description string)) error {
		listing, err := s.List(ctx, "")
		for _, c := range listing.Containers {
			offer(c.InternalID, string(c.State)+", "+c.Image)
		}
		return err
	})
}

// completeVolumes offers the ids of the volumes that no container names.
func (a *app) completeVolumes(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, args, func(ctx context.Context, s *session, offer func(id, description string)) error {
		all, err := s.Volumes(ctx)
		for _, v := range all {
			if len(v.Containers) == 0 {
				offer(v.VolumeID, "made "+render.Age(a.Now(), time.Unix(v.CreatedAt, 0))+" ago")
			}
		}
		return err
	})
}

// completeFreePorts offers the ports of the pool that nothing uses, as a user writes them.
func (a *app) completeFreePorts(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, args, func(ctx context.Context, s *session, offer func(id, description string)) error {
		all, err := s.Ports(ctx)
		for _, p := range all {
			if !p.InUse {
				offer(portText(p), "free")
			}
		}
		return err
	})
}

// portText is a port of the pool in the words that commands take.
func portText(p desired.PoolPort) string {
	text := fmt.Sprint(p.Port)
	switch {
	case strings.Contains(p.IP, ":"):
		text = "[" + p.IP + "]:" + text
	case p.IP != "0.0.0.0":
		text = p.IP + ":" + text
	}
	if p.Protocol == desired.UDP {
		text += "/udp"
	}
	return text
}

// offer completes an argument with a list from the daemon that the command is about.
func (a *app) offer(cmd *cobra.Command, args []string, list func(ctx context.Context, s *session, offer func(id, description string)) error) ([]cobra.Completion, cobra.ShellCompDirective) {
	var flags cliconfig.Flags
	flags.Server, _ = cmd.Flags().GetString("server")
	flags.Context, _ = cmd.Flags().GetString("context")
	flags.Token, _ = cmd.Flags().GetString("token")
	flags.TokenFile, _ = cmd.Flags().GetString("token-file")
	s, err := a.dial(flags)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	var offers []cobra.Completion
	if err := list(ctx, s, func(id, description string) {
		if !slices.Contains(args, id) {
			offers = append(offers, cobra.CompletionWithDesc(id, description))
		}
	}); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
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

// CompleteOne completes the id of one container, for commands that do not talk to the daemon.
func CompleteOne(env Env) cobra.CompletionFunc { return newApp(env).completeOne }

// completeContexts offers the names of the stored contexts.
func (a *app) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	contexts, err := cliconfig.Load(cliconfig.Path(a.Getenv))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	offers := make([]cobra.Completion, 0, len(contexts.Contexts))
	for _, name := range contexts.Names() {
		offers = append(offers, cobra.CompletionWithDesc(name, contexts.Contexts[name].Server))
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}
