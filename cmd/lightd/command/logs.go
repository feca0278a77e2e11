package command

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// maxTail is the most lines that a daemon looks back.
const maxTail = 5000

func (a *app) logs() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "logs ID",
		Short:             "Show what a container prints",
		Long:              "Shows the last lines that a container printed, as it printed them, and with -f what it prints from now on.",
		Args:              oneID,
		ValidArgsFunction: a.completeOne,
	}
	follow := cmd.Flags().BoolP("follow", "f", false, "go on with what is printed")
	tail := cmd.Flags().IntP("tail", "n", 200, "how many lines to look back, from 0 to 5000")
	install := cmd.Flags().Bool("install", false, "what the last installation printed")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		switch {
		case *tail < 0 || *tail > maxTail:
			return usagef("logs: --tail must be from 0 to %d, not %d", maxTail, *tail)
		case *install && *follow:
			return usagef("logs: the log of an installation is there when it has ended: there is nothing to follow")
		case *tail == 0 && !*follow:
			return usagef("logs: --tail 0 without --follow shows nothing")
		}
		return nil
	}
	return a.talking(cmd, func(ctx context.Context, s *session, args []string) error {
		id := args[0]
		if *install {
			log, err := s.InstallLog(ctx, id)
			if err != nil {
				return of(id, err)
			}
			defer func() { _ = log.Close() }() // it was only read
			_, err = io.Copy(a.Streams.Out, log)
			return err
		}
		if _, err := s.Get(ctx, id); err != nil {
			return of(id, err)
		}
		return of(id, a.print(ctx, s, id, *tail, *follow))
	})
}

// print writes the last lines that a container printed, and then what it prints.
func (a *app) print(ctx context.Context, s *session, id string, tail int, follow bool) error {
	k, err := s.follow.Console(ctx, id, client.From{After: client.Now})
	if err != nil {
		return err
	}
	defer k.Close()
	if tail > 0 {
		if err := k.RequestLogs(ctx, tail); err != nil {
			return err
		}
	}
	asked := tail > 0
	for m, err := range k.Messages() {
		if err != nil {
			return err
		}
		text := ""
		switch {
		case m.Kind == api.MessageLogs && asked:
			text, asked = m.Text, false
		case m.Kind == api.MessageConsole && !asked && follow:
			text = m.Text
		default:
			continue
		}
		if _, err := io.WriteString(a.Streams.Out, text); err != nil {
			return err
		}
		if !asked && !follow {
			return nil
		}
	}
	return nil
}
