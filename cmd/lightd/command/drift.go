package command

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/httpapi/api"
)

func (a *app) drift() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift [ID...]",
		Short: "Show where Docker differs from the specs",
		Long: `Shows, field by field, where Docker differs from the specs, since when, and the step that
mends it. A difference without a step is only told: of a container that is paused, of a tag
that moved while the image is pinned, of what waits for the next time a container is made.`,
		ValidArgsFunction: a.completeIDs,
	}
	form := outputFlag(cmd, formTable, formJSON, formYAML)
	selector := selectorFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && *selector != "" {
			return usagef("drift takes ids or a selector, not both")
		}
		return noEmpty(cmd, args)
	}
	return a.talking(cmd, func(ctx context.Context, s *session, args []string) error {
		if len(args) == 0 {
			all, err := s.NodeDrift(ctx, *selector)
			if err != nil {
				return err
			}
			if *form != formTable {
				return a.encode(*form, all)
			}
			return a.showDrift(all.Containers, fmt.Sprintf("%d in sync, %d drifted.", all.InSync, all.Drifted))
		}
		var list []api.Drift
		failed := a.each(ctx, s, args, func(ctx context.Context, id string) error {
			d, err := s.Drift(ctx, id)
			if err == nil {
				list = append(list, d)
			}
			return err
		})
		if err := a.encodeDrift(*form, list, len(args) == 1); err != nil {
			return err
		}
		return failed
	})
}

func (a *app) encodeDrift(form string, list []api.Drift, one bool) error {
	switch {
	case len(list) == 0:
		return nil
	case form == formTable:
		summary := ""
		if one && list[0].InSync {
			summary = "In sync."
		}
		return a.showDrift(list, summary)
	case one:
		return a.encode(form, list[0])
	}
	return a.encode(form, map[string][]api.Drift{"containers": list})
}

// encode writes v as JSON or YAML.
func (a *app) encode(form string, v any) error {
	if form == formJSON {
		return render.JSON(a.Streams.Out, v)
	}
	return render.YAML(a.Streams.Out, v)
}

var driftColumns = []string{"ID", "FIELD", "SHOULD BE", "IS", "SINCE", "MENDED BY"}

// showDrift writes the fields as a table, and the summary for people.
func (a *app) showDrift(list []api.Drift, summary string) error {
	t := render.NewTable(a.Streams.Out, driftColumns...)
	rows := 0
	for _, d := range list {
		for _, row := range driftRows(d, a.Now(), true) {
			t.Row(row...)
			rows++
		}
	}
	if rows > 0 {
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if summary != "" {
		a.note("%s", summary)
	}
	return nil
}

// driftRows are the cells of a report; with is true for those that begin with the id.
func driftRows(d api.Drift, now time.Time, with bool) [][]string {
	rows := make([][]string, 0, len(d.Fields))
	for _, f := range d.Fields {
		row := []string{d.InternalID, f.Path, value(f.Desired), value(f.Observed), render.Age(now, f.Since), mendedBy(f)}
		if !with {
			row = row[1:]
		}
		rows = append(rows, row)
	}
	return rows
}

func mendedBy(f api.DriftField) string {
	switch {
	case f.Step != "":
		return string(f.Step)
	case f.Kind == api.DriftMovedTag:
		return "nothing: the image is pinned"
	}
	return "nothing by itself"
}

// value formats one side of a difference.
func value(v any) string {
	switch v := v.(type) {
	case nil:
		return "(none)"
	case string:
		if v == "" {
			return `""`
		}
		return v
	case float64:
		if v == float64(int64(v)) {
			return fmt.Sprint(int64(v))
		}
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
