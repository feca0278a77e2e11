package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
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
	// home moves to the first line, eraseRest erases the rest of a line, eraseBelow all below (ECMA-48).
	home, eraseRest, eraseBelow = "\x1b[H", "\x1b[K", "\x1b[J"
)

func (a *app) top() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top [ID...]",
		Short: "Show what containers use, as docker stats does",
		Long: `Shows what containers use: those that run, those that are named, or those that a selector chooses.

On a terminal it goes on, and measures every two seconds. CPU % is of one core. --sort-by has the most
first. The daemon measures when it is asked to alone. DISK is what the files of the volume had when they were last measured, and
how long ago that was: "lightd volume list --measure" does.`,
		Example: `  lightd top
  lightd top --no-stream --sort-by memory
  lightd top -l game=quake -o json`,
		ValidArgsFunction: a.completeIDs,
	}
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML, FormName)
	selector := selectorFlag(cmd)
	once := cmd.Flags().Bool("no-stream", false, "measure once, also on a terminal")
	all := cmd.Flags().BoolP("all", "a", false, "show those too that do not run")
	by := usageFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && *selector != "" {
			return usagef("top takes ids or a selector, not both")
		}
		return noEmpty(cmd, args)
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, ids []string) error {
		repeats := *form == FormTable && !*once && terminal.Is(a.Streams.Out)
		for {
			list, err := a.measure(ctx, s, ids, *selector)
			if err != nil {
				return err
			}
			by.sort(list)
			if *form != FormTable {
				return WriteList(a.Streams, *form, "stats", list)
			}
			if err := a.showTop(list, *all || len(ids) > 0, repeats); err != nil || !repeats {
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

// showTop writes the table, in place of the one before where it repeats.
func (a *app) showTop(list []api.Stats, all, repeats bool) error {
	var b strings.Builder
	t := render.NewTable(&b, "ID", "STATE", "CPU %", "MEMORY / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "DISK", "UPTIME", "RESTARTS")
	t.Fit(a.columns(a.Streams.Out), 6, 9, 5, 7, 1)
	if a.colour(a.Streams.Out) {
		t.Paint(func(column int, cell string) string {
			if column != 1 {
				return ""
			}
			return stateColour(cell)
		})
	}
	rows := 0
	for _, s := range list {
		if s.StartedAt.IsZero() && !all {
			continue
		}
		rows++
		t.Row(topRow(s)...)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if rows == 0 && !repeats {
		a.note("No container runs.")
		return nil
	}
	text := b.String()
	if rows == 0 {
		text = "No container runs.\n"
	}
	if repeats {
		_, height := terminal.Size(a.Streams.Out)
		text = inPlace(text, height)
	}
	_, err := io.WriteString(a.Streams.Out, text)
	return err
}

// inPlace is a text that takes the place of what is on a screen of so many lines, 0 for no bound, without
// a moment in which nothing is there. What is below the screen is left out.
func inPlace(text string, height int) string {
	lines := strings.SplitAfter(text, "\n")
	if lines = lines[:len(lines)-1]; height > 1 && len(lines) >= height {
		lines = lines[:height-1]
	}
	return home + strings.ReplaceAll(strings.Join(lines, ""), "\n", eraseRest+"\n") + eraseBelow
}

// usages are what top can sort by: the most first.
var usages = map[string]func(api.Stats) float64{
	"cpu":      func(s api.Stats) float64 { return usageOf(s).CPUUsage },
	"memory":   func(s api.Stats) float64 { return float64(usageOf(s).MemoryUsage) },
	"network":  func(s api.Stats) float64 { return float64(usageOf(s).NetworkRx + usageOf(s).NetworkTx) },
	"block":    func(s api.Stats) float64 { return float64(usageOf(s).BlockRead + usageOf(s).BlockWrite) },
	"uptime":   func(s api.Stats) float64 { return float64(s.Uptime) },
	"restarts": func(s api.Stats) float64 { return float64(s.Restarts) },
	"disk": func(s api.Stats) float64 {
		if s.Disk == nil {
			return 0
		}
		return float64(s.Disk.VolumeBytes)
	},
}

func usageOf(s api.Stats) api.Usage {
	if s.Usage == nil {
		return api.Usage{}
	}
	return *s.Usage
}

// usage is the value of --sort-by of top.
type usage string

func usageFlag(cmd *cobra.Command) *usage {
	var u usage
	words := slices.Sorted(maps.Keys(usages))
	cmd.Flags().Var(&u, "sort-by", "one of "+strings.Join(words, ", "))
	_ = cmd.RegisterFlagCompletionFunc("sort-by", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return &u
}

// String implements pflag.Value.
func (u *usage) String() string { return string(*u) }

// Set implements pflag.Value.
func (u *usage) Set(word string) error {
	if usages[word] == nil {
		return usagef("--sort-by %q is none of %s", word, strings.Join(slices.Sorted(maps.Keys(usages)), ", "))
	}
	*u = usage(word)
	return nil
}

// Type implements pflag.Value.
func (u *usage) Type() string { return "string" }

// sort sorts a list, those that use the most first.
func (u *usage) sort(list []api.Stats) {
	if of := usages[string(*u)]; of != nil {
		slices.SortStableFunc(list, func(a, b api.Stats) int { return cmp.Compare(of(b), of(a)) })
	}
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
