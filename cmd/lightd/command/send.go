package command

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) send() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "send ID COMMAND",
		Short: "Write a line to the standard input of a container",
		Long: `Writes a command to the standard input of a container's process, as a line of its own. What the
process prints is in "lightd logs ID"; "lightd attach ID" shows both.`,
		Example:           `  lightd send web "say hi"`,
		ValidArgsFunction: a.completeOne,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := ids(cmd, args); err != nil {
				return err
			}
			if len(args) != 2 {
				return usagef("send takes an id and a command, which is one argument: put it in quotes")
			}
			return nil
		},
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		if err := s.SendCommand(ctx, args[0], args[1]); err != nil {
			return withSubject(args[0], err)
		}
		a.say("%s: command sent", args[0])
		return nil
	})
}
