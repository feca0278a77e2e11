package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func (a *app) plan() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan -f FILE | plan ID...",
		Short: "Show what an apply would do, or what the daemon does next",
		Long: `With files, shows what applying them would do: the steps with their reasons, whether a process
is restarted or a container made anew, and which data stays. With ids, shows the steps that
the daemon would take now. Nothing is done.`,
		Example: `  lightd plan -f servers.yaml
  lightd plan web`,
		ValidArgsFunction: a.completeIDs,
	}
	l := listFlags(cmd)
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(*l.files) > 0 && len(args) > 0:
			return usagef("plan takes files (-f) or ids, not both")
		case len(args) > 0:
			return noEmpty(cmd, args)
		}
		return l.check(cmd)
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		if len(args) > 0 {
			return a.each(ctx, s, args, func(ctx context.Context, id string) error {
				p, err := s.Plan(ctx, id)
				switch {
				case err != nil:
					return err
				case *form != FormTable:
					return a.encode(*form, p)
				}
				return a.showPlan(api.Receipt{InternalID: id, Plan: &p})
			})
		}
		set, list, err := l.read(a)
		if err != nil {
			return err
		}
		applied, err := s.send(ctx, set, list, client.Write{DryRun: true})
		switch {
		case err != nil:
			return err
		case *form != FormTable:
			return a.encodeApplied(*form, applied.Applied)
		}
		for _, line := range madeBeside(applied.Applied) {
			a.say("%s", line)
		}
		for _, r := range applied.Containers {
			if err := a.showPlan(r); err != nil {
				return err
			}
		}
		a.note("%s", summary(applied.Applied))
		return nil
	})
}

func summary(a api.Applied) string {
	return fmt.Sprintf("%d to create, %d to change, %d to delete, %d unchanged. Nothing was done.", a.Created, a.Updated, a.Deleted, a.Unchanged)
}

// showPlan writes what would be done to one container.
func (a *app) showPlan(r api.Receipt) error {
	head := r.InternalID + ": " + heading(r)
	a.print(a.Streams.Out, render.Text(head))
	a.warn(r)
	if r.Plan == nil {
		return nil
	}
	t := render.NewPlainTable(a.Streams.Out, 3).Fit(a.columns(a.Streams.Out))
	for i, step := range r.Steps {
		t.Row(fmt.Sprintf("%d.", i+1), string(step.Kind), step.Reason)
	}
	if err := t.FlushIndented("  "); err != nil {
		return err
	}
	var lines []string
	if at := attempt(r.Attempt, a.Now()); at != "" {
		lines = append(lines, at)
	}
	if w := r.Waits; w != nil {
		lines = append(lines, fmt.Sprintf("waits, %s: %s", w.Reason, w.Message))
	}
	if len(r.Steps) > 0 && len(r.Keeps) > 0 {
		lines = append(lines, "keeps "+strings.Join(r.Keeps, ", "))
	}
	if len(r.Loses) > 0 {
		lines = append(lines, "loses "+strings.Join(r.Loses, ", "))
	}
	for _, line := range lines {
		a.print(a.Streams.Out, "  "+render.Text(line))
	}
	return nil
}

// warn writes the warnings of a write.
func (a *app) warn(r api.Receipt) {
	for _, w := range r.Warnings {
		a.note("lightd: %s: warning: %s", r.InternalID, w.Message)
	}
}

// attempt describes when what waits is retried; empty when nothing is.
func attempt(next plan.Attempt, now time.Time) string {
	if next.At.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (attempt %d)", render.In(now, next.At), next.Number)
}

// heading describes in short what would be done, and because of what.
func heading(r api.Receipt) string {
	p := r.Plan
	switch {
	case p == nil:
		return string(r.Action)
	case r.Action == desired.Created:
		return "create"
	case r.Action == desired.Deleted:
		return "delete"
	case p.Recreates:
		return "recreate" + because(p, plan.RemoveContainer, plan.CreateContainer)
	case p.Restarts && has(p, plan.StartContainer):
		return "restart" + because(p, plan.StopContainer, plan.KillContainer)
	case p.Restarts:
		return "stop" + because(p, plan.StopContainer, plan.KillContainer)
	case has(p, plan.CreateInstallContainer):
		return "install" + because(p, plan.CreateInstallContainer)
	case has(p, plan.CreateContainer):
		return "create its container" + because(p, plan.CreateContainer)
	case has(p, plan.StartContainer):
		return "start" + because(p, plan.StartContainer)
	case len(p.Steps) > 0:
		return "change in place" + because(p, p.Steps[0].Kind)
	case r.Action == desired.Updated && p.Waits == nil:
		return "change the spec, and nothing in Docker"
	case p.Waits == nil:
		return "nothing to do"
	}
	return "nothing can be done now"
}

func has(p *api.Plan, kind plan.Kind) bool {
	return slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Kind == kind })
}

// because is the reason of the first step of these kinds.
func because(p *api.Plan, kinds ...plan.Kind) string {
	for _, step := range p.Steps {
		if slices.Contains(kinds, step.Kind) && step.Reason != "" {
			return ", because " + step.Reason
		}
	}
	return ""
}
