package command

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/desired"
	"lightd/httpapi/api"
)

func (a *app) drift() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift [ID...]",
		Short: "Show where Docker differs from the specs",
		Long: `Shows, field by field, where Docker differs from the specs, since when, and the step that
fixes it. A difference without a step is only told: of a container that is paused, of a tag
that moved while the image is pinned, of what waits for the next time a container is made.`,
		Example:           "  lightd drift\n  lightd drift web\n  lightd drift -l game=quake -o json",
		ValidArgsFunction: a.completeIDs,
	}
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML)
	selector := selectorFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && *selector != "" {
			return usagef("drift takes ids or a selector, not both")
		}
		return noEmpty(cmd, args)
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		if len(args) == 0 {
			all, err := s.NodeDrift(ctx, *selector)
			if err != nil {
				return err
			}
			if *form != FormTable {
				return WriteListOf(a.Streams, *form, all.Containers, all)
			}
			return a.showNodeDrift(all)
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
	case form == FormTable:
		return a.showDrift(list)
	case one:
		return a.encode(form, list[0])
	}
	return WriteList(a.Streams, form, "containers", list)
}

var driftColumns = []string{"ID", "FIELD", "SHOULD BE", "IS", "SINCE", "FIXED BY"}

// driftSince is the column that a narrow terminal can spare.
const driftSince = 4

// showNodeDrift writes the report of all, and the counts.
func (a *app) showNodeDrift(all api.NodeDrift) error {
	t := a.table(driftColumns, driftSince)
	for _, d := range all.Containers {
		for _, row := range driftRows(d, a.Now()) {
			t.Row(row...)
		}
	}
	if len(all.Containers) > 0 {
		if err := t.Flush(); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%d in sync, %d drifted", all.InSync, all.Drifted)
	for _, count := range []struct {
		n    int
		what string
	}{{all.MovedTag, "with a tag that moved"}, {all.Deferred, "with something that waits for the next container"}, {all.Unknown, "unknown: the engine does not answer"}} {
		if count.n > 0 {
			text += fmt.Sprintf(", %d %s", count.n, count.what)
		}
	}
	a.note("%s.", text)
	if f := all.Firewall; f != nil {
		a.note("The firewall of containers is missing, so that they reach the ports of the host: %s.", f.Missing)
	}
	for _, f := range all.Foreign {
		a.note("Of another Lightd, or of a data directory that is lost: %s (%s), made for %s.", f.Name, f.ContainerID, f.InternalID)
	}
	return nil
}

// showDrift writes the reports of the requested containers.
func (a *app) showDrift(list []api.Drift) error {
	t := a.table(driftColumns, driftSince)
	rows := 0
	for _, d := range list {
		if d.InSync {
			a.note("%s: in sync.", d.InternalID)
		}
		for _, row := range driftRows(d, a.Now()) {
			t.Row(row...)
			rows++
		}
	}
	if rows == 0 {
		return nil
	}
	return t.Flush()
}

// driftRows are the cells of a report, the id first.
func driftRows(d api.Drift, now time.Time) [][]string {
	if !d.Known {
		return [][]string{{d.InternalID, "(unknown)", "", "", "", "nothing until the engine answers"}}
	}
	rows := make([][]string, 0, len(d.Fields))
	for _, f := range d.Fields {
		rows = append(rows, []string{d.InternalID, f.Path, fieldValue(f.Path, f.Desired), fieldValue(f.Path, f.Observed), render.Age(now, f.Since), fixedBy(d, f)})
	}
	return rows
}

// fixedBy describes what happens about a difference.
func fixedBy(d api.Drift, f api.DriftField) string {
	switch {
	case f.Kind == api.DriftMovedTag && f.Step == "":
		return "nothing: the image is pinned"
	case f.Kind == api.DriftDeferred && f.Step != "": // a pause
		return string(f.Step) + ", when it has lasted a minute"
	case f.Kind == api.DriftDeferred:
		return "the next container"
	case f.Step == "":
		return "nothing by itself"
	case d.Paused:
		return string(f.Step) + ", once it is not paused"
	}
	return string(f.Step)
}

// fieldValue formats one side of a difference, with its unit where it is a size.
func fieldValue(path string, v any) string {
	if n, ok := v.(float64); ok && (path == "limits.memory" || path == "limits.swap") {
		return desired.FormatSize(int64(n))
	}
	return value(v)
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
