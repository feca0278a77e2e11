package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/observed/journal"
)

func (a *app) events() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events [ID...]",
		Short: "Show what happened, and with -w what happens",
		Long: `Shows what happened to all containers, to those that are named, or to those that a selector chooses
now, in the order in which it did; with -w also what happens.`,
		Example: `  lightd events --tail 20
  lightd events web -w
  lightd events -l game=quake -o json`,
		ValidArgsFunction: a.completeIDs,
	}
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML)
	chosen := choice{selector: selectorFlag(cmd)}
	watch := cmd.Flags().BoolP("watch", "w", false, "go on with what happens")
	after := cmd.Flags().Uint64("after", 0, "only events after the one of this number")
	tail := cmd.Flags().Int("tail", 0, "only the last `N` of those that there are (default: all)")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 && *chosen.selector == "" {
			return nil
		}
		return chosen.check(cmd, args)
	}
	cmd.PreRunE = func(*cobra.Command, []string) error {
		switch given := cmd.Flags().Changed("tail"); {
		case !given:
			*tail = all
		case *tail < 0:
			return usagef("events: --tail must not be below zero, as %d is", *tail)
		}
		return nil
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		ids, err := chosen.of(ctx, s, args)
		if err != nil {
			return err
		}
		x, err := newExpressions(a.Streams, *form, false)
		if err != nil {
			return err
		}
		show := &eventPrinter{out: a.Streams.Out, form: *form, expressions: x, now: a.Now, width: a.columns(a.Streams.Out), one: len(ids) == 1}
		last, err := a.pastEvents(ctx, s, ids, *after, *tail, show)
		if err != nil {
			return err
		}
		if !*watch {
			return show.end(a)
		}
		return s.followEvents(ctx, ids, last, show)
	})
}

// followEvents shows the events of containers, of all where none is named, from the one behind last on.
func (s *session) followEvents(ctx context.Context, ids []string, last uint64, show *eventPrinter) error {
	id := ""
	if len(ids) == 1 {
		id = ids[0]
	}
	for e, err := range s.follow.FollowEvents(ctx, id, last) {
		if err != nil {
			return err
		}
		if len(ids) > 1 && !slices.Contains(ids, e.InternalID) {
			continue
		}
		if err := show.event(e, true); err != nil {
			return err
		}
	}
	return nil
}

// all is no number of events: every one.
const all = -1

// pastEvents shows the events that there are of containers, of all where none is named, and returns the
// number of the last one.
func (a *app) pastEvents(ctx context.Context, s *session, ids []string, after uint64, tail int, show *eventPrinter) (uint64, error) {
	last := after
	var kept []journal.Event
	keeps := tail >= 0 || len(ids) > 1
	for _, id := range append([]string{""}[min(len(ids), 1):], ids...) {
		for e, err := range s.Events(ctx, id, after) {
			if err != nil {
				return last, withSubject(id, err)
			}
			last = max(last, e.Seq)
			if !keeps {
				if err := show.event(e, false); err != nil {
					return last, err
				}
				continue
			}
			if kept = append(kept, e); len(ids) < 2 && len(kept) > tail {
				kept = kept[1:]
			}
		}
	}
	if len(ids) > 1 {
		slices.SortFunc(kept, func(a, b journal.Event) int { return cmp.Compare(a.Seq, b.Seq) })
		if tail >= 0 {
			kept = kept[max(0, len(kept)-tail):]
		}
	}
	for _, e := range kept {
		if err := show.event(e, false); err != nil {
			return last, err
		}
	}
	return last, show.flush()
}

// eventPrinter shows events as a table, each as JSON on a line, or each as a document of YAML.
type eventPrinter struct {
	out         io.Writer
	form        string
	expressions *expressions // for a form with an expression
	now         func() time.Time
	width       int // of a line; 0 for no bound
	one         bool
	table       *render.Table
	rows        int
}

// manyRows is how many rows decide how wide columns are.
const manyRows = 1000

func (v *eventPrinter) event(e journal.Event, at bool) error {
	switch v.form {
	case FormJSON:
		return render.JSONLine(v.out, e)
	case FormYAML:
		if v.rows++; v.rows > 1 {
			if _, err := io.WriteString(v.out, "---\n"); err != nil {
				return err
			}
		}
		return render.YAML(v.out, e)
	}
	if v.expressions != nil {
		if err := v.expressions.add(e); err != nil || !at {
			return err
		}
		return v.expressions.flush()
	}
	if v.table == nil {
		v.table = render.NewTable(v.out, "SEQ", "TIME", "ID", "TYPE", "MESSAGE")
		if v.one {
			v.table.Fit(v.width, idColumn)
		} else {
			v.table.Fit(v.width)
		}
	}
	v.table.Row(fmt.Sprint(e.Seq), v.time(e.Time), e.InternalID, string(e.Type), e.Message)
	if v.rows++; at || v.rows%manyRows == 0 {
		return v.table.Flush()
	}
	return nil
}

// idColumn can be spared where all events are of one container.
const idColumn = 2

// time formats when something happened: in full where lines may be as long as they are, else without
// the date of today, or without the seconds.
func (v *eventPrinter) time(at time.Time) string {
	at, now := at.Local(), v.now().Local()
	switch {
	case v.width <= 0:
		return at.Format(time.DateTime)
	case at.YearDay() == now.YearDay() && at.Year() == now.Year():
		return at.Format(time.TimeOnly)
	}
	return at.Format("01-02 15:04")
}

func (v *eventPrinter) flush() error {
	if v.expressions != nil {
		return v.expressions.flush()
	}
	if v.table == nil {
		return nil
	}
	return v.table.Flush()
}

func (v *eventPrinter) end(a *app) error {
	if v.form == FormTable && v.rows == 0 {
		a.note("There are no events.")
	}
	return v.flush()
}
