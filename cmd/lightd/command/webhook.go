package command

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/httpapi/api"
)

func (a *app) webhooks() *cobra.Command {
	cmd := a.webhookList()
	cmd.AddCommand(a.webhookRetry())
	return cmd
}

func (a *app) webhookList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhooks",
		Short: "Show how far each webhook of the configuration is",
		Long: `Shows the webhooks of the daemon's configuration, and how far each one is: LAG is the number
of events that the journal has behind its position, those that it does not select included. LAST ERROR
has its time, and stays after a success. Of a URL only scheme and host are shown: the others may be
secret. "lightd docs webhooks" tells how to make one, and how to receive it.`,
		Example: "  lightd webhooks\n  lightd webhooks -o custom-columns=NAME:.name,LAG:.lag",
		Args:    NoArgs,
	}
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML, FormName)
	return a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		all, err := s.Webhooks(ctx)
		if err != nil {
			return err
		}
		if *form != FormTable {
			return WriteList(a.Streams, *form, "webhooks", all)
		}
		if len(all) == 0 {
			a.note("There is no webhook. \"lightd docs webhooks\" tells how to make one.")
			return nil
		}
		t := a.table([]string{"NAME", "STATE", "POSITION", "LAG", "DELIVERED", "NEXT TRY", "LAST ERROR", "URL"}, 7)
		for _, w := range all {
			t.Row(render.Text(w.Name), string(w.State), strconv.FormatUint(w.Position, 10), strconv.FormatUint(w.Lag, 10),
				ago(a.Now(), w.LastDelivery), next(a.Now(), w.NextAttempt), lastError(a.Now(), w), render.Text(w.URL))
		}
		return t.Flush()
	})
}

func (a *app) webhookRetry() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "retry NAME",
		Short:   "Have a webhook that fails try at once, as after a repair",
		Example: "  lightd webhooks retry panel",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("webhooks retry: the name of a webhook is needed; \"lightd webhooks\" has them")
			}
			return nil
		},
	}
	form := ResultFlag(cmd)
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		w, err := s.RetryWebhook(ctx, args[0])
		switch {
		case err != nil:
			return withSubject(args[0], err)
		case *form != FormText:
			return a.encode(*form, w)
		case w.State != api.WebhookFailing:
			a.say("%s does not fail: there is nothing to try again", w.Name)
		default:
			a.say("%s is tried now; \"lightd webhooks\" shows what came of it", w.Name)
		}
		return nil
	})
}

// next is when something is tried again, if it is.
func next(now, at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return render.In(now, at)
}

// lastError is the last failure, with how long ago it was.
func lastError(now time.Time, w api.Webhook) string {
	if w.LastError == "" {
		return "-"
	}
	return render.Text(w.LastError) + " (" + ago(now, w.LastErrorAt) + ")"
}

// ago is how long ago something was, if it ever was.
func ago(now, at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return render.Age(now, at) + " ago"
}
