package command

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
)

// choice is which containers a command is about: those that are named, those that a selector chooses,
// or all.
type choice struct {
	selector *string
	all      *bool // nil where a command does not take all by a flag
}

// chosenFlags adds -l and --all.
func chosenFlags(cmd *cobra.Command) choice {
	return choice{selector: selectorFlag(cmd), all: cmd.Flags().Bool("all", false, "all containers that there are")}
}

// check refuses more than one way to choose, or none.
func (c choice) check(cmd *cobra.Command, args []string) error {
	all := c.all != nil && *c.all
	switch {
	case *c.selector != "" && len(args) > 0:
		return usagef("%s takes ids or a selector, not both", cmd.Name())
	case all && (*c.selector != "" || len(args) > 0):
		return usagef("%s: --all leaves nothing to choose: give it alone", cmd.Name())
	case all || *c.selector != "":
		return nil
	}
	return ids(cmd, args)
}

// of returns the ids of the containers. It is an error when a selector chooses none; of all there may
// be none.
func (c choice) of(ctx context.Context, s *session, args []string) ([]string, error) {
	if *c.selector == "" && (c.all == nil || !*c.all) {
		return distinct(args), nil
	}
	listing, err := s.List(ctx, *c.selector)
	if err != nil {
		return nil, err
	}
	if len(listing.Containers) == 0 && *c.selector != "" {
		return nil, coded{fmt.Errorf("no container is chosen by %q", *c.selector), ExitNotFound}
	}
	found := make([]string, len(listing.Containers))
	for i, c := range listing.Containers {
		found[i] = c.InternalID
	}
	return found, nil
}

// maxNamed is how many of what is to be deleted a question names.
const maxNamed = 10

// confirm asks whether all of something may be done away with. Where nobody can be asked it is refused.
func (a *app) confirm(ctx context.Context, ids []string) error {
	if !terminal.Is(a.Streams.In) {
		return usagef("delete: --all needs --yes where nobody can be asked")
	}
	named := strings.Join(ids[:min(len(ids), maxNamed)], ", ")
	if len(ids) > maxNamed {
		named += fmt.Sprintf(" and %d more", len(ids)-maxNamed)
	}
	return a.question(ctx, fmt.Sprintf("Delete %s: %s? Their volumes stay.", plural(len(ids), "container"), named), "Nothing was deleted.")
}

// question asks who is at the terminal, and ends the command where the answer is no, after saying so.
func (a *app) question(ctx context.Context, text, refused string) error {
	a.put(a.Streams.Err, render.Text(text+" [y/N] "))
	in, err := terminal.Interruptible(a.Streams.In)
	if err != nil {
		return err
	}
	defer in.Close()
	defer context.AfterFunc(ctx, in.Close)()
	answer, err := bufio.NewReader(in).ReadString('\n')
	if ctx.Err() != nil {
		a.put(a.Streams.Err, "\n")
		return ctx.Err()
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); err == nil && (answer == "y" || answer == "yes") {
		return nil
	}
	a.note("%s", refused)
	return Exit(ExitFailed)
}
