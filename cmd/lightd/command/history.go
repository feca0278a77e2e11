package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/terminal"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func (a *app) history() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history ID",
		Short: "Show which specs a container has had, and what each changed",
		Long: `Shows the last ten specs of a container, the newest first: the generation with which each began, when
that was, and which fields it changed. What only started, stopped or suspended the container is
no spec of its own. "lightd undo" goes back to one.`,
		Example: `  lightd history web
  lightd history web -o yaml`,
		Args:              oneID,
		ValidArgsFunction: a.completeOne,
	}
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML)
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		h, err := s.History(ctx, args[0])
		switch {
		case err != nil:
			return withSubject(args[0], err)
		case *form != FormTable:
			return a.encode(*form, h)
		}
		t := a.table([]string{"GENERATION", "TIME", "CHANGED"}, 3)
		for i, v := range h.Versions {
			changed := strings.Join(v.Changed, ", ")
			if i == len(h.Versions)-1 {
				changed = "(the first that is kept)"
			}
			if v.Generation == 1 {
				changed = "created"
			}
			t.Row(strconv.FormatInt(v.Generation, 10), v.Time.Local().Format(time.DateTime), changed)
		}
		return t.Flush()
	})
}

func (a *app) undo() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "undo ID",
		Short: "Go back to a spec that a container had before",
		Long: `Writes the spec before the present one, or that of another generation, as a new generation. It shows first
what that changes and which steps follow, and asks; where nobody can be asked it wants --yes. What the
process should be doing stays: power, and a suspension. So does what has happened since outside of the
spec: the files of the volume, and ports that others have taken.`,
		Example: `  lightd undo web
  lightd undo web --to 3 --dry-run
  lightd undo web --yes --wait`,
		ValidArgsFunction: a.completeOne,
	}
	w := waitFlags(cmd, api.UntilSynced)
	to := cmd.Flags().Int64("to", 0, "`generation` of the spec to go back to (default: the one before)")
	sure := cmd.Flags().BoolP("yes", "y", false, "do not ask")
	dry := cmd.Flags().Bool("dry-run", false, "tell what would be done, and do nothing")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case cmd.Flags().Changed("to") && *to < 1:
			return usagef("undo: --to must be a generation, from 1 up")
		case *dry && w.goal != "":
			return usagef("--dry-run does nothing that could be waited for")
		}
		return errors.Join(w.checkArgs(cmd, args), oneID(cmd, args))
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		r := reversion{app: a, session: s, id: args[0], to: *to, dry: *dry, sure: *sure}
		return withSubject(args[0], r.run(ctx, w))
	})
}

// reversion is the way back to a spec of before.
type reversion struct {
	*app
	*session
	id        string
	to        int64
	dry, sure bool
}

func (r reversion) run(ctx context.Context, w *waiting) error {
	now, err := r.Get(ctx, r.id)
	if err != nil {
		return err
	}
	version, err := r.version(ctx)
	if err != nil {
		return err
	}
	spec := *version.Spec
	spec.Power, spec.Suspended = now.Power, now.Suspended
	planned, err := r.Put(ctx, spec, client.Write{IfMatch: now.ETag, DryRun: true})
	if err != nil {
		return err
	}
	if planned.Action == desired.Unchanged {
		r.note("%s: the spec is that of generation %d already.", r.id, version.Generation)
		return nil
	}
	if _, err := r.showDiff(ctx, r.session, planned.Receipt); err != nil {
		return err
	}
	if err := r.showPlan(planned.Receipt); err != nil || r.dry {
		return err
	}
	if err := r.ask(ctx, version.Generation); err != nil {
		return err
	}
	write := w.write()
	write.IfMatch = now.ETag
	receipt, err := r.Put(ctx, spec, write)
	if err != nil {
		return err
	}
	if w.goal != "" {
		err = w.rest(ctx, r.session, r.id, receipt.Unmet())
	}
	if err == nil {
		r.say("%s: %s, as in generation %d", r.id, outcome(receipt.Receipt), version.Generation)
		r.warn(receipt.Receipt)
	}
	return err
}

// version is the one to go back to.
func (r reversion) version(ctx context.Context) (api.SpecVersion, error) {
	to := r.to
	if to == 0 {
		h, err := r.History(ctx, r.id)
		switch {
		case err != nil:
			return api.SpecVersion{}, err
		case len(h.Versions) < 2:
			return api.SpecVersion{}, coded{errors.New("there is no spec before the present one"), ExitNotFound}
		}
		to = h.Versions[1].Generation
	}
	version, hidden, err := r.SpecOf(ctx, r.id, to)
	switch {
	case errors.Is(err, client.ErrNotFound):
		return version, coded{fmt.Errorf("the spec of generation %d is not kept: \"lightd history %s\" has those that are", to, r.id), ExitNotFound}
	case err == nil && hidden:
		return version, errors.New("the token may not see the environment, which this would empty")
	}
	return version, err
}

// ask asks whether the spec is to be written.
func (r reversion) ask(ctx context.Context, generation int64) error {
	if r.sure {
		return nil
	}
	if !terminal.Is(r.Streams.In) {
		return usagef("undo needs --yes where nobody can be asked")
	}
	return r.question(ctx, fmt.Sprintf("Write the spec of generation %d?", generation), "Nothing was changed.")
}
