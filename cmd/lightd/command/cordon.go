package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/journal"
)

func (a *app) cordon() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cordon",
		Short: "Hold back whatever would begin on this node; what runs goes on",
		Long: `Puts the node out of service: nothing is started, restarted, recreated, pulled or installed until
"lightd uncordon". What runs is left alone, and so is an install script that runs; stops, kills and
deletions work. On a node that is being drained it ends the drain, and leaves running what still does.`,
		Example: `  lightd cordon --reason "new engine at 22:00"`,
		Args:    NoArgs,
	}
	form := ResultFlag(cmd)
	reason := reasonFlag(cmd)
	return a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		c, err := s.Cordon(ctx, desired.Cordon{Reason: *reason})
		switch {
		case err != nil:
			return err
		case *form != FormText:
			return a.encode(*form, c)
		}
		a.say("the node is cordoned: nothing new is started; %s", stillRunning(c.Running))
		return nil
	})
}

func reasonFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("reason", "", "why, in a `line` that everybody reads who looks at a container")
}

// stillRunning says how many processes and install scripts run.
func stillRunning(n int) string {
	switch n {
	case 0:
		return "nothing runs"
	case 1:
		return "1 process runs"
	}
	return fmt.Sprintf("%d processes run", n)
}

func (a *app) drain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Stop what runs on this node, and hold back whatever would begin",
		Long: `Cordons the node, and has its containers stopped in the order of their ids, some at once, each with the
stop settings of its spec. Waits until nothing runs, install scripts included, and shows what happens. Specs
stay as they are: "lightd uncordon" starts all that should run. Paused containers are left alone.
To leave running what runs, use "lightd cordon".`,
		Example: `  lightd drain --reason "kernel update" --parallel 8 --timeout 10m
  lightd drain --wait=false`,
		Args: NoArgs,
	}
	form := ResultFlag(cmd)
	reason := reasonFlag(cmd)
	parallel := cmd.Flags().Int("parallel", desired.DefaultDrainParallel, "how many containers are stopped at `once`")
	wait := cmd.Flags().Bool("wait", true, "wait until nothing runs")
	w := waiting{}
	timeoutFlag(cmd, &w.timeout)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if cmd.Flags().Changed("timeout") && !*wait {
			return usagef("drain: --timeout has no meaning with --wait=false")
		}
		if *parallel < 1 || *parallel > desired.MaxDrainParallel {
			return usagef("drain: --parallel must be from 1 to %d, not %d", desired.MaxDrainParallel, *parallel)
		}
		return w.checkTimeout()
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		last := s.lastSeq(ctx)
		c, err := s.Cordon(ctx, desired.Cordon{Drain: true, Parallel: *parallel, Reason: *reason})
		if err != nil {
			return err
		}
		if *wait && !c.Drained {
			a.note("the node is being drained: %s%s", stillRunning(c.Running), remaining(c.Remaining))
			if c, err = a.awaitDrained(ctx, s, last, w.timeout); err != nil {
				return err
			}
		}
		switch {
		case *form != FormText:
			return a.encode(*form, c)
		case c.Drained:
			a.say("the node is drained: nothing runs")
		default:
			a.say("the node is being drained: %s%s; \"lightd events -w\" shows how far it is", stillRunning(c.Running), remaining(c.Remaining))
		}
		return nil
	})
}

// awaitDrained shows what happens after the event of a number, until the node is drained.
func (a *app) awaitDrained(ctx context.Context, s *session, after uint64, timeout time.Duration) (api.Cordon, error) {
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for e, err := range s.follow.FollowEvents(within, "", after) {
		if err != nil && within.Err() == nil {
			return api.Cordon{}, err
		}
		if err != nil {
			break
		}
		if e.InternalID != "" {
			a.note("%s", strings.TrimSpace(fmt.Sprintf("%s: %s  %s", e.InternalID, e.Type, e.Message)))
			continue
		}
		if e.Type != journal.NodeDrained && e.Type != journal.NodeCordoned && e.Type != journal.NodeUncordoned {
			continue
		}
		n, err := s.Node(ctx)
		switch {
		case err != nil:
			return api.Cordon{}, err
		case n.Cordon == nil || !n.Cordon.Drain:
			return api.Cordon{}, coded{fmt.Errorf("the drain was ended by somebody else"), ExitGoalFailed}
		case n.Cordon.Drained:
			return *n.Cordon, nil
		}
	}
	if ctx.Err() != nil {
		return api.Cordon{}, ctx.Err()
	}
	return api.Cordon{}, coded{fmt.Errorf("not drained within %s, and the drain goes on%s; \"lightd uncordon\" ends it", timeout, s.whatRemains(ctx)), ExitTimeout}
}

// whatRemains names what a drain waits for, for a message; empty where that is not to be had.
func (s *session) whatRemains(ctx context.Context) string {
	n, err := s.Node(ctx)
	if err != nil || n.Cordon == nil {
		return ""
	}
	return remaining(n.Cordon.Remaining)
}

// remaining names the first of what a drain waits for, with the reasons, as the end of a message; empty for nothing,
// and of a daemon that does not tell.
func remaining(r api.Remaining) string {
	const most = 5
	var names []string
	for _, c := range r.Containers[:min(len(r.Containers), most)] {
		names = append(names, fmt.Sprintf("%s (%s)", c.InternalID, c.Reason))
	}
	switch more := r.Count - len(names); {
	case len(names) == 0:
		return ""
	case more > 0:
		return fmt.Sprintf(": it waits for %s and %d more", strings.Join(names, ", "), more)
	}
	return ": it waits for " + strings.Join(names, ", ")
}

func (a *app) uncordon() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "uncordon",
		Short:   "Put this node back into service: what should run is started",
		Example: "  lightd uncordon",
		Args:    NoArgs,
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		if err := s.Uncordon(ctx); err != nil {
			return err
		}
		a.say("the node is in service: what should run is started")
		return nil
	})
}
