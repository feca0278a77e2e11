package command

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// maxTail is the most lines of history that a daemon returns.
const maxTail = 5000

func (a *app) logs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs ID",
		Short: "Show what a container prints",
		Long: "Shows the last lines that a container printed, and with -f what it prints from now on, without a gap. " +
			"On a terminal colours take effect and other control characters are escaped; with --raw, and where the output is no terminal, it is written as it was printed.",
		Example: `  lightd logs -f --tail 50 web
  lightd logs --since 10m web`,
		Args:              oneID,
		ValidArgsFunction: a.completeOne,
	}
	follow := cmd.Flags().BoolP("follow", "f", false, "go on with what is printed")
	tail := cmd.Flags().IntP("tail", "n", 200, "how many lines to look back, from 0 to 5000")
	since := cmd.Flags().String("since", "", "look back to this `time`, as in RFC 3339 or in seconds since 1970 (0 is all), or how long ago, as in 10m")
	install := cmd.Flags().Bool("install", false, "what the last installation printed")
	raw := cmd.Flags().Bool("raw", false, "escape no control characters on a terminal")
	var from client.Logs
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		switch {
		case *tail < 0 || *tail > maxTail:
			return usagef("logs: --tail must be from 0 to %d, not %d", maxTail, *tail)
		case *install && *follow:
			return usagef("logs: the log of an installation is there when it has ended: there is nothing to follow")
		case *tail == 0 && !*follow && *since == "":
			return usagef("logs: --tail 0 without --follow shows nothing")
		case *since != "" && cmd.Flags().Changed("tail"):
			return usagef("logs: --since and --tail both say where to begin")
		case *since != "":
			from.Since, err = parseSince(*since, a.Now())
			return err
		}
		from.Tail = *tail
		return nil
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		id, out := args[0], a.consoleOutput(*raw)
		defer func() { _ = out.Close() }() // of a terminal that is gone nothing is expected
		switch {
		case *install:
			log, err := s.InstallLog(ctx, id)
			return withSubject(id, copyTo(out, log, err))
		case *follow:
			return withSubject(id, a.follow(ctx, s, id, from, out))
		}
		log, err := s.Logs(ctx, id, from)
		return withSubject(id, copyTo(out, log, err))
	})
}

// consoleOutput returns what writes console output to the standard output.
func (a *app) consoleOutput(raw bool) io.WriteCloser { return consoleOutput(a.Streams.Out, raw) }

func consoleOutput(out io.Writer, raw bool) io.WriteCloser {
	if raw || !terminal.Is(out) {
		return unchanged{out}
	}
	return render.NewConsole(out)
}

// unchanged writes to a stream that it does not close.
type unchanged struct{ io.Writer }

func (unchanged) Close() error { return nil }

// parseSince reads a time, or how long ago it was. A bare number is seconds since 1970, and 0 is
// all that is kept, as it is to docker logs.
func parseSince(text string, now time.Time) (string, error) {
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return text, nil
	}
	if ago, ok := ParseAgo(text); ok {
		return now.Add(-ago).UTC().Format(time.RFC3339Nano), nil
	}
	if _, err := time.Parse(time.RFC3339, text); err != nil {
		return "", usagef("logs: --since %q is neither a time as in 2006-01-02T15:04:05Z or in seconds since 1970 nor a duration as in 10m or 1d", text)
	}
	return text, nil
}

// ParseAgo reads how long ago something was: a duration of Go, or a number of days as in 7d.
func ParseAgo(text string) (ago time.Duration, ok bool) {
	ago, err := time.ParseDuration(text)
	if err != nil {
		ago, err = token.ParseTTL(text)
	}
	return ago, err == nil && ago >= 0
}

// copyTo writes a text that was opened without an error.
func copyTo(out io.Writer, text io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	defer func() { _ = text.Close() }() // it was only read
	_, err = io.Copy(out, text)
	return err
}

// follow writes what a container printed and prints to out, until it is deleted. The daemon's
// notices go to the standard error.
func (a *app) follow(ctx context.Context, s *session, id string, from client.Logs, out io.Writer) error {
	if _, err := s.console(ctx, id); err != nil {
		return err
	}
	for m, err := range s.follow.Follow(ctx, id, client.From{After: client.Now, Since: from.Since, Tail: from.Tail}) {
		switch {
		case err != nil:
			return err
		case m.Kind == api.MessageDaemon:
			a.note("[lightd] %s", m.Text)
		case m.Kind == api.MessageConsole:
			if _, err := io.WriteString(out, m.Text); err != nil {
				return err
			}
		}
	}
	return nil
}
