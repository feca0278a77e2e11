package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func (a *app) powers() []*cobra.Command {
	return []*cobra.Command{
		a.power(client.Start, api.UntilRunning, "Start containers, out of a backoff too"),
		a.power(client.Stop, api.UntilStopped, "Stop containers gracefully"),
		a.power(client.Kill, api.UntilStopped, "Stop containers at once, with SIGKILL"),
		a.power(client.Restart, api.UntilRunning, "Stop containers gracefully and start them"),
	}
}

func (a *app) power(action client.Action, usual api.Goal, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use:               string(action) + " ID...",
		Short:             short,
		Example:           fmt.Sprintf("  lightd %[1]s web --wait\n  lightd %[1]s -l 'game in (quake,doom)' --dry-run\n  lightd %[1]s --all", action),
		ValidArgsFunction: a.completeIDs,
	}
	var grace seconds
	if action == client.Stop {
		cmd.Flags().VarP(&grace, "grace", "t", "`time` to end before SIGKILL, this once, as in 30 (seconds) or 2m (default: stop.timeout of the spec)")
		cmd.Example += "\n  lightd stop web -t 30"
	}
	return a.write(cmd, usual, func(ctx context.Context, s *session, id string, w client.Write) (client.Receipt, error) {
		w.Grace = grace.time
		return s.Power(ctx, id, action, w)
	})
}

// seconds is a duration, or a number of seconds as docker has it; nil where it was not given.
type seconds struct{ time *time.Duration }

// String implements pflag.Value.
func (s *seconds) String() string {
	if s.time == nil {
		return ""
	}
	return s.time.String()
}

// Set implements pflag.Value.
func (s *seconds) Set(text string) error {
	if _, err := strconv.ParseUint(text, 10, 32); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return usagef("--grace %q is no time as in 30 (seconds) or 2m", text)
	}
	s.time = &d
	return nil
}

// Type implements pflag.Value.
func (s *seconds) Type() string { return "duration" }

// write makes a command a write of each of the containers that it is given.
func (a *app) write(cmd *cobra.Command, usual api.Goal, do func(ctx context.Context, s *session, id string, w client.Write) (client.Receipt, error)) *cobra.Command {
	w := waitFlags(cmd, usual)
	chosen := chosenFlags(cmd)
	dry := cmd.Flags().Bool("dry-run", false, "tell what would be done, and do nothing")
	form := ResultFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := w.checkArgs(cmd, args); err != nil {
			return err
		}
		return chosen.check(cmd, args)
	}
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if *dry && w.goal != "" {
			return usagef("--dry-run does nothing that could be waited for")
		}
		return before(cmd, args)
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		one := len(args) == 1
		args, err := chosen.of(ctx, s, args)
		if err != nil {
			return err
		}
		if w.goal != "" {
			stop := a.progress(ctx, s, args, s.lastSeq(ctx))
			defer stop()
		}
		write := w.write()
		write.DryRun = *dry
		receipt, end := prefetch(ctx, args, func(ctx context.Context, id string) (client.Receipt, error) {
			receipt, err := do(ctx, s, id, write)
			if err == nil {
				err = w.rest(ctx, s, id, receipt.Unmet())
			}
			return receipt, err
		})
		defer end()
		show := receipts{app: a, form: *form, one: one}
		failed := a.each(ctx, s, args, func(_ context.Context, id string) error {
			receipt, err := receipt(id)
			a.catchUp(id)
			return show.add(receipt.Receipt, err, func() error {
				if *dry {
					return a.showPlan(receipt.Receipt)
				}
				a.say("%s: %s", id, outcome(receipt.Receipt))
				a.warn(receipt.Receipt)
				return nil
			})
		})
		return errors.Join(show.end(), failed)
	})
}

// receipts shows what writes of containers came to: each in a sentence as it comes, or all in the form
// that was asked for, in the end.
type receipts struct {
	*app
	form string
	// one is true where one container was named: its receipt is no list.
	one  bool
	list []api.Receipt
}

// add shows a receipt, in words by say. One that was written is kept beside the error of its wait.
func (r *receipts) add(receipt api.Receipt, err error, say func() error) error {
	if r.form != FormText {
		if receipt.InternalID != "" {
			r.list = append(r.list, receipt)
			r.warn(receipt)
		}
		return err
	}
	if err != nil {
		return err
	}
	return say()
}

// end shows the receipts that add has kept.
func (r *receipts) end() error {
	switch {
	case r.form == FormText, r.one && len(r.list) == 0:
		return nil
	case r.one:
		return r.encode(r.form, r.list[0])
	}
	return WriteList(r.Streams, r.form, "containers", r.list)
}

// outcome describes the result of a write in short.
func outcome(r api.Receipt) string {
	text := strings.TrimPrefix(r.Message, "Container ")
	if r.Wait != nil && r.Wait.Met {
		text = string(r.Wait.For)
	}
	if r.Generation > 0 {
		text += fmt.Sprintf(" (generation %d)", r.Generation)
	}
	return text
}
