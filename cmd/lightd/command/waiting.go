package command

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// goals are what can be waited for.
var goals = []string{string(api.UntilInstalled), string(api.UntilRunning), string(api.UntilStopped), string(api.UntilSynced)}

// untilDeleted is waited for here: the daemon waits only for what is there.
const untilDeleted = "deleted"

const (
	// defaultWait is how long a command waits without --timeout.
	defaultWait = 5 * time.Minute
	// serverWait is the longest that the daemon waits in one request.
	serverWait = 10 * time.Minute
)

// waiting is the flags of a write for waiting.
type waiting struct {
	goal    string
	timeout time.Duration
}

// waitFlags adds --wait and --timeout to a write; usual is what --wait alone means.
func waitFlags(cmd *cobra.Command, usual api.Goal) *waiting {
	var w waiting
	cmd.Flags().StringVar(&w.goal, "wait", "", "wait until this `goal` is reached, or cannot be (see \"lightd wait --help\"): installed, running, stopped or synced (alone: "+string(usual)+")")
	cmd.Flags().Lookup("wait").NoOptDefVal = string(usual)
	timeoutFlag(cmd, &w.timeout)
	_ = cmd.RegisterFlagCompletionFunc("wait", cobra.FixedCompletions(goals, cobra.ShellCompDirectiveNoFileComp))
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if w.goal != "" && !slices.Contains(goals, w.goal) {
			return usagef("--wait=%s is none of installed, running, stopped, synced", w.goal)
		}
		if err := w.checkTimeout(); err != nil {
			return err
		}
		if cmd.Flags().Changed("timeout") && w.goal == "" {
			return usagef("--timeout has no meaning without --wait")
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
	return &w
}

// checkArgs refuses "--wait running", which is "--wait" and an argument that would be taken
// for an id.
func (w waiting) checkArgs(cmd *cobra.Command, args []string) error {
	if w.goal == "" {
		return nil
	}
	for _, arg := range args {
		if slices.Contains(goals, arg) {
			return usagef("%s: --wait takes its goal with a \"=\", as in --wait=%s", path(cmd), arg)
		}
	}
	return nil
}

func timeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", defaultWait, "how long to wait, as in `10m`")
}

func (w waiting) checkTimeout() error {
	if w.timeout <= 0 {
		return usagef("--timeout must be above zero, not %s", w.timeout)
	}
	return nil
}

// write is the write with the wait of w, for as long as one request may last.
func (w waiting) write() client.Write {
	if w.goal == "" {
		return client.Write{}
	}
	return client.Write{Wait: api.Goal(w.goal), Timeout: min(w.timeout, serverWait)}
}

// rest continues the wait where the first request ended, if there is time left.
func (w waiting) rest(ctx context.Context, s *session, id string, unmet error) error {
	var u *client.WaitError
	if !errors.As(unmet, &u) || !u.TimedOut() || w.timeout <= serverWait {
		return unmet
	}
	_, err := s.follow.Wait(ctx, id, u.For, w.timeout-serverWait)
	return err
}

func (a *app) wait() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wait ID... --for=running",
		Short: "Wait until containers are as wanted",
		Long: `Waits until the present specs of containers have come true, or until they cannot by
themselves: then it ends, with the reason and exit code 7. It ends at once where the
installation failed, the engine refuses the spec, the image is not to be had (but not while
the registry is unreachable), or the node is cordoned; and after 20 s for a port, name, mount
or network that is taken or missing, and a volume over its quota. A start pattern may match
at any time: it is waited for until --timeout.`,
		Example: `  lightd wait web --for=running --timeout=2m
  lightd wait -l game=quake --for=stopped`,
		ValidArgsFunction: a.completeIDs,
	}
	chosen := chosenFlags(cmd)
	cmd.Args = chosen.check
	var w waiting
	all := append(slices.Clone(goals), untilDeleted)
	cmd.Flags().StringVar(&w.goal, "for", "", "`goal`: installed, running, stopped, synced or deleted (required)")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp))
	timeoutFlag(cmd, &w.timeout)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if w.goal == "" {
			return usagef("wait: --for is needed: one of installed, running, stopped, synced, deleted")
		}
		if !slices.Contains(all, w.goal) {
			return usagef("wait: --for must be one of installed, running, stopped, synced, deleted; got %q", w.goal)
		}
		return w.checkTimeout()
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		args, err := chosen.of(ctx, s, args)
		if err != nil {
			return err
		}
		stop := a.progress(ctx, s, args, client.Now)
		defer stop()
		waited, end := prefetch(ctx, args, func(ctx context.Context, id string) (struct{}, error) {
			if w.goal == untilDeleted {
				return struct{}{}, s.awaitGone(ctx, id, w.timeout)
			}
			_, err := s.Client.Wait(ctx, id, api.Goal(w.goal), w.timeout)
			switch {
			case ctx.Err() != nil:
				err = ctx.Err() // a wait writes nothing: its result is never ambiguous
			case contradicts(err):
				err = coded{err, ExitGoalFailed}
			}
			return struct{}{}, err
		})
		defer end()
		return a.each(ctx, s, args, func(_ context.Context, id string) error {
			_, err := waited(id)
			a.catchUp(id)
			if err != nil {
				return err
			}
			a.say("%s is %s", id, w.goal)
			return nil
		})
	})
}

// contradicts reports whether a wait was refused because the spec has the opposite.
func contradicts(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && slices.ContainsFunc(refused.Details, func(d api.Detail) bool { return d.Field == "wait" })
}

// awaitGone waits until there is no container of that id: the stream of its events ends with
// it.
func (s *session) awaitGone(ctx context.Context, id string, timeout time.Duration) error {
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, err := range s.follow.FollowEvents(within, id, client.Now) {
		switch {
		case err == nil:
			continue
		case errors.Is(err, client.ErrNotFound):
			return nil
		case within.Err() == nil:
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() == nil:
		return nil
	}
	c, err := s.Get(ctx, id)
	if errors.Is(err, client.ErrNotFound) {
		return nil
	}
	message := "it is still there"
	if c.Deleting {
		message = "it is being deleted"
	}
	return &client.WaitError{InternalID: id, Wait: api.Wait{For: untilDeleted, Reason: api.ReasonTimeout, Message: message}}
}
