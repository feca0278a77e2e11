package command

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/httpapi/api"
)

const (
	// topEvery is how often top measures again.
	topEvery = 2 * time.Second
	// clearScreen moves to the first line, and erases what is below (ECMA-48).
	clearScreen = "\x1b[H\x1b[J"
)

func (a *app) top() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top [ID...]",
		Short: "Show what containers use, as docker stats does",
		Long: `Shows what containers use: those that run, those that are named, or those that a selector chooses.

On a terminal it goes on, and measures every two seconds. CPU % is of one core. The daemon measures
when it is asked to alone. DISK is what the files of the volume had when they were last measured, and
how long ago that was: "lightd volume list --measure" does.`,
		ValidArgsFunction: a.completeIDs,
	}
	form := outputFlag(cmd, formTable, formJSON, formYAML)
	selector := selectorFlag(cmd)
	once := cmd.Flags().Bool("no-stream", false, "measure once, also on a terminal")
	all := cmd.Flags().BoolP("all", "a", false, "show those too that do not run")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && *selector != "" {
			return usagef("top takes ids or a selector, not both")
		}
		return noEmpty(cmd, args)
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, ids []string) error {
		repeats := *form == formTable && !*once && terminal.Is(a.Streams.Out)
		for {
			list, err := a.measure(ctx, s, ids, *selector)
			if err != nil {
				return err
			}
			if *form != formTable {
				return a.encode(*form, map[string][]api.Stats{"stats": list})
			}
			if repeats {
				if _, err := io.WriteString(a.Streams.Out, clearScreen); err != nil {
					return err
				}
			}
			if err := a.showTop(list, *all || len(ids) > 0); err != nil || !repeats {
				return err
			}
			select {
			case <-time.After(topEvery):
			case <-ctx.Done():
				return nil
			}
		}
	})
}

func (a *app) measure(ctx context.Context, s *session, ids []string, selector string) ([]api.Stats, error) {
	if len(ids) == 0 {
		return s.AllStats(ctx, selector)
	}
	var list []api.Stats
	for _, id := range ids {
		one, err := s.Stats(ctx, id)
		if err != nil {
			return nil, withSubject(id, err)
		}
		list = append(list, one)
	}
	return list, nil
}

func (a *app) showTop(list []api.Stats, all bool) error {
	t := a.table([]string{"ID", "STATE", "CPU %", "MEMORY / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "DISK", "UPTIME", "RESTARTS"}, 6, 9, 5, 7, 1)
	rows := 0
	for _, s := range list {
		if s.StartedAt.IsZero() && !all {
			continue
		}
		rows++
		t.Row(topRow(s)...)
	}
	if rows == 0 {
		a.note("No container runs.")
		return nil
	}
	return t.Flush()
}

func topRow(s api.Stats) []string {
	row := []string{s.InternalID, string(s.State), "-", "-", "-", "-", "-", "-", "-", strconv.Itoa(s.Restarts)}
	if !s.StartedAt.IsZero() {
		row[8] = render.Age(s.StartedAt.Add(time.Duration(s.Uptime)*time.Second), s.StartedAt)
	}
	if d := s.Disk; d != nil {
		old := time.Duration(d.Age * float64(time.Second))
		row[7] = render.Bytes(d.VolumeBytes) + " (" + render.Age(d.MeasuredAt.Add(old), d.MeasuredAt) + ")"
	}
	u := s.Usage
	if u == nil {
		return row
	}
	row[2] = fmt.Sprintf("%.2f", u.CPUUsage)
	row[3] = pair(units.BytesSize, u.MemoryUsage, u.MemoryLimit)
	if u.MemoryLimit > 0 {
		row[4] = fmt.Sprintf("%.1f", 100*float64(u.MemoryUsage)/float64(u.MemoryLimit))
	}
	row[5] = pair(units.HumanSize, u.NetworkRx, u.NetworkTx)
	row[6] = pair(units.HumanSize, u.BlockRead, u.BlockWrite)
	return row
}

// pair writes two sizes as "docker stats" does: powers of 1,024 of memory, and of 1,000 of what is moved.
func pair(size func(float64) string, one, other uint64) string {
	return size(float64(one)) + " / " + size(float64(other))
}
