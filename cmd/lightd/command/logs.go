package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
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

// maxFollowed is how many containers logs follows at once.
const maxFollowed = 64

func (a *app) logs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs ID...",
		Short: "Show what containers print",
		Long: "Shows the last lines that a container printed, and with -f what it prints from now on, without a gap. " +
			"Of several containers, those that a selector chooses included, each line begins with the id. " +
			"On a terminal colours take effect and other control characters are escaped; with --raw, and where the output is no terminal, it is written as it was printed.",
		Example: `  lightd logs -f --tail 50 web
  lightd logs --since 10m web db
  lightd logs -t --tail 20 web
  lightd logs -f -l game=quake`,
		ValidArgsFunction: a.completeIDs,
	}
	chosen := choice{selector: selectorFlag(cmd)}
	cmd.Args = chosen.check
	var f logFlags
	f.add(cmd)
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return f.check(cmd, a.Now()) }
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		ids, err := chosen.of(ctx, s, args)
		switch {
		case err != nil:
			return err
		case !f.follow || len(ids) == 1:
			return a.each(ctx, s, ids, func(ctx context.Context, id string) error { return a.showLogs(ctx, s, id, f, len(ids) > 1) })
		case len(ids) > maxFollowed:
			return usagef("logs: -f follows at most %d containers at once, and these are %d", maxFollowed, len(ids))
		}
		shown, stop := prefetch(ctx, ids, func(ctx context.Context, id string) (struct{}, error) {
			err := a.showLogs(ctx, s, id, f, true)
			if err != nil && ctx.Err() == nil {
				a.fail(s.explain(ctx, withSubject(id, err))) // at once: the others may have no end
				err = Exit(ExitCode(err))
			}
			return struct{}{}, err
		})
		defer stop()
		return a.each(ctx, s, ids, func(_ context.Context, id string) error { _, err := shown(id); return err })
	})
}

// logFlags say which output is shown, and how.
type logFlags struct {
	follow, install, raw bool
	tail                 int
	since                string
	from                 client.Logs
}

func (f *logFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with what is printed")
	cmd.Flags().IntVarP(&f.tail, "tail", "n", 200, "how many lines to look back, from 0 to 5000")
	cmd.Flags().StringVar(&f.since, "since", "", "look back to this `time`, as in RFC 3339 or in seconds since 1970 (0 is all), or how long ago, as in 10m")
	cmd.Flags().BoolVar(&f.install, "install", false, "what the last installation printed")
	cmd.Flags().BoolVarP(&f.from.Timestamps, "timestamps", "t", false, "begin each line with the time of Docker's log")
	cmd.Flags().BoolVar(&f.raw, "raw", false, "escape no control characters on a terminal")
}

// check refuses flags that go against each other, and finds from where output is shown.
func (f *logFlags) check(cmd *cobra.Command, now time.Time) (err error) {
	switch {
	case f.tail < 0 || f.tail > maxTail:
		return usagef("logs: --tail must be from 0 to %d, not %d", maxTail, f.tail)
	case f.install && f.follow:
		return usagef("logs: the log of an installation is there when it has ended: there is nothing to follow")
	case f.from.Timestamps && (f.follow || f.install):
		return usagef("logs: -t is for what Docker's log has: neither for -f nor for --install")
	case f.tail == 0 && !f.follow && f.since == "":
		return usagef("logs: --tail 0 without --follow shows nothing")
	case f.since != "" && cmd.Flags().Changed("tail"):
		return usagef("logs: --since and --tail both say where to begin")
	case f.since != "":
		f.from.Since, err = parseSince(f.since, now)
		return err
	}
	f.from.Tail = f.tail
	return nil
}

// showLogs shows the output of one container, marked where it is one of several.
func (a *app) showLogs(ctx context.Context, s *session, id string, f logFlags, several bool) error {
	out := a.outputOf(id, f.raw, several)
	defer func() { _ = out.Close() }() // of a terminal that is gone nothing is expected
	switch {
	case f.install:
		log, err := s.InstallLog(ctx, id)
		return copyTo(out, log, err)
	case f.follow:
		return a.follow(ctx, s, id, f.from, out, several)
	}
	log, err := s.Logs(ctx, id, f.from)
	return copyTo(out, log, err)
}

// outputOf returns what writes the output of a container: one of several has its lines marked.
func (a *app) outputOf(id string, raw, several bool) io.WriteCloser {
	if !several {
		return a.consoleOutput(raw)
	}
	marked := &markedLines{app: a, mark: render.Text(id) + " | "}
	if raw || !terminal.Is(a.Streams.Out) {
		return marked
	}
	return consoleLines{render.NewConsole(marked), marked}
}

// consoleLines is console output in marked lines.
type consoleLines struct {
	*render.Console
	lines io.Closer
}

// Close writes what both hold.
func (c consoleLines) Close() error { return errors.Join(c.Console.Close(), c.lines.Close()) }

// maxHeld bounds how much of a line is held until its end comes.
const maxHeld = 64 << 10

// markedLines writes lines, each whole and with a mark in front, so that those of several writers can
// stand below each other.
type markedLines struct {
	app  *app
	mark string
	rest []byte
}

// Write implements io.Writer.
func (m *markedLines) Write(text []byte) (int, error) {
	m.rest = append(m.rest, text...)
	for {
		end := bytes.IndexByte(m.rest, '\n')
		if end < 0 && len(m.rest) < maxHeld {
			return len(text), nil
		}
		if end < 0 {
			end = len(m.rest) - 1
		}
		m.app.put(m.app.Streams.Out, m.mark+strings.TrimRight(string(m.rest[:end+1]), "\r\n")+"\n")
		m.rest = m.rest[end+1:]
	}
}

// Close writes a line that has no end.
func (m *markedLines) Close() error {
	if len(m.rest) > 0 {
		m.app.put(m.app.Streams.Out, m.mark+string(m.rest)+"\n")
		m.rest = nil
	}
	return nil
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
func (a *app) follow(ctx context.Context, s *session, id string, from client.Logs, out io.Writer, several bool) error {
	if _, err := s.console(ctx, id); err != nil {
		return err
	}
	for m, err := range s.follow.Follow(ctx, id, client.From{After: client.Now, Since: from.Since, Tail: from.Tail}) {
		switch {
		case err != nil:
			return err
		case m.Kind == api.MessageDaemon:
			about := ""
			if several {
				about = id + ": "
			}
			a.note("[lightd] %s%s", about, m.Text)
		case m.Kind == api.MessageConsole:
			if _, err := io.WriteString(out, m.Text); err != nil {
				return err
			}
		}
	}
	return nil
}
