package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// lastEvents is how many events a description ends with.
const lastEvents = 10

// lastLines is how many lines of output a description shows, and longestLine how much of each.
const (
	lastLines   = 5
	longestLine = 4 << 10
)

func (a *app) describe() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "describe ID...",
		Short:             "Show all of a container: spec, conditions, drift, next, events",
		Example:           "  lightd describe web\n  lightd describe -l game=quake",
		ValidArgsFunction: a.completeIDs,
	}
	chosen := choice{selector: selectorFlag(cmd)}
	cmd.Args = chosen.check
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		args, err := chosen.of(ctx, s, args)
		if err != nil {
			return err
		}
		shown := 0
		return a.each(ctx, s, args, func(ctx context.Context, id string) error {
			d, err := s.describe(ctx, id)
			if err != nil {
				return err
			}
			if shown++; shown > 1 {
				fmt.Fprintln(a.Streams.Out)
			}
			return d.write(a.Streams.Out, a.Now(), a.columns(a.Streams.Out))
		})
	})
}

// description is all that is shown of a container.
type description struct {
	container api.Container
	drift     *api.Drift
	plan      *api.Plan
	events    []journal.Event
	// output are the last lines that it printed, or that its installation did where that has failed.
	output       []string
	ofInstalling bool
	// noOutput is why there is none to show.
	noOutput string
}

func (s *session) describe(ctx context.Context, id string) (description, error) {
	c, err := s.Get(ctx, id)
	if err != nil {
		return description{}, err
	}
	d := description{container: c.Container}
	for e, err := range s.Events(ctx, id, 0) {
		if err != nil {
			return d, gone(err)
		}
		if d.events = append(d.events, e); len(d.events) > lastEvents {
			d.events = d.events[1:]
		}
	}
	if drift, err := s.Drift(ctx, id); err == nil {
		d.drift = &drift
	} else if gone(err) != nil {
		return d, err
	}
	if plan, err := s.Plan(ctx, id); err == nil {
		d.plan = &plan
	} else if gone(err) != nil {
		return d, err
	}
	err = s.readOutput(ctx, &d)
	return d, err
}

// outputTimeout bounds how long a description waits for the output: Docker, which gives it, may hang.
const outputTimeout = 5 * time.Second

// readOutput reads the last lines of output. A failure is part of the description, and no error: the
// rest is needed most when Docker does not answer.
func (s *session) readOutput(ctx context.Context, d *description) error {
	id := d.container.InternalID
	ofDocker := d.container.Condition(status.Installed).Status != status.False
	if ofDocker && d.container.Condition(status.Synced).Reason == status.ReasonEngineDown {
		d.noOutput = "Docker does not answer"
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, outputTimeout)
	defer cancel()
	d.ofInstalling = !ofDocker
	var text io.ReadCloser
	var err error
	if d.ofInstalling {
		text, err = s.InstallLog(bounded, id)
	} else {
		text, err = s.Logs(bounded, id, client.Logs{Tail: lastLines})
	}
	if err != nil {
		if ctx.Err() == nil && gone(err) != nil {
			d.noOutput = whyNoOutput(err)
			return nil
		}
		return gone(err)
	}
	defer func() { _ = text.Close() }() // it was only read
	lines := bufio.NewReaderSize(text, longestLine)
	for {
		line, cut, err := lines.ReadLine()
		if err != nil {
			return nil // what came before it breaks off is shown
		}
		if d.output = append(d.output, string(line)); len(d.output) > lastLines {
			d.output = d.output[1:]
		}
		for cut && err == nil {
			_, cut, err = lines.ReadLine()
		}
	}
}

func whyNoOutput(err error) string {
	var refused *client.Error
	if errors.As(err, &refused) {
		return refused.Sentence
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "it does not come within " + outputTimeout.String()
	}
	return err.Error()
}

// gone passes over that a container went while it was being described.
func gone(err error) error {
	if errors.Is(err, client.ErrNotFound) {
		return nil
	}
	return err
}

// describeWriter writes "Name:  value" lines.
type describeWriter struct {
	out   io.Writer
	width int // of a line; 0 for no bound
	err   error
}

// sheetIndent is where the values of a sheet begin.
var sheetIndent = strings.Repeat(" ", 17)

// entry writes a line of safe text whose value is continued below itself where it does not fit.
func (s *describeWriter) entry(name, value string) {
	s.printf("%s\n", render.Wrap(fmt.Sprintf("%-17s%s", name, value), s.width, sheetIndent))
}

func (s *describeWriter) line(name, value string) {
	if value == "" {
		value = "-"
	}
	s.entry(name+":", render.Text(value))
}

// block is a line whose value may have several.
func (s *describeWriter) block(name, text string) {
	if text != "" {
		s.printf("%-17s%s\n", name+":", render.Lines(text, sheetIndent))
	}
}

func (s *describeWriter) printf(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.out, format, args...)
	}
}

// table writes rows below a title, and "none" when there are none. The spare columns are left out
// where the rows do not fit.
func (s *describeWriter) table(title string, columns []string, rows [][]string, spare ...int) {
	if len(rows) == 0 {
		s.line(title, "none")
		return
	}
	s.printf("%s:\n", title)
	t := render.NewTable(s.out, columns...).Fit(s.width, spare...)
	for _, row := range rows {
		t.Row(row...)
	}
	if s.err == nil {
		s.err = t.FlushIndented("  ")
	}
}

func (d description) write(out io.Writer, now time.Time, width int) error {
	s := &describeWriter{out: out, width: width}
	d.writeSummary(s)
	if d.outputExplains() {
		d.writeOutput(s)
	}
	d.writeState(s, now)
	d.writeSpec(s)
	d.writeConditions(s, now)
	d.writeDrift(s, now)
	d.writePlan(s, now)
	rows := make([][]string, 0, len(d.events))
	for _, e := range d.events {
		rows = append(rows, []string{fmt.Sprint(e.Seq), render.Age(now, e.Time), fmt.Sprint(e.Generation), string(e.Type), e.Message})
	}
	s.table("Events", []string{"SEQ", "AGE", "GENERATION", "TYPE", "MESSAGE"}, rows, 2)
	if !d.outputExplains() {
		d.writeOutput(s)
	}
	for i, hint := range hintsFor(d.container) {
		name := ""
		if i == 0 {
			name = "Hint:"
		}
		s.entry(name, render.Text(hint))
	}
	return s.err
}

func (d description) writeOutput(s *describeWriter) {
	if d.noOutput != "" {
		s.line("Last output", "not shown: "+d.noOutput)
	}
	if len(d.output) == 0 {
		return
	}
	title := "Last output:"
	if d.ofInstalling {
		title = "Last output of the installation:"
	}
	s.printf("%s\n", title)
	for _, line := range d.output {
		s.printf("  %s\n", render.Text(render.Plain(line)))
	}
}

func (d description) writeSummary(s *describeWriter) {
	s.line("ID", d.container.InternalID)
	if d.container.Summary != "" { // a daemon of an earlier version has none
		s.line("Summary", d.container.Summary)
	}
}

// outputExplains reports whether the last output is the likely reason of what the summary says, and so is
// shown right below it.
func (d description) outputExplains() bool {
	c := d.container
	return d.ofInstalling || c.Condition(status.Healthy).Status == status.False ||
		c.Spec().EffectivePower() == desired.PowerRunning && c.Condition(status.ProcessRunning).Status == status.False
}

func (d description) writeState(s *describeWriter, now time.Time) {
	c := d.container
	s.line("State", string(c.State)+", should be "+string(c.Spec().EffectivePower()))
	if at := attempt(plan.Attempt{At: c.NextAttemptAt, Number: c.Attempt}, now); at != "" {
		s.line("Next attempt", at)
	}
	s.line("Install", string(c.InstallState))
	text := fmt.Sprintf("%d, observed", c.Generation)
	if c.ObservedGeneration < c.Generation {
		text = fmt.Sprintf("%d, observed up to %d", c.Generation, c.ObservedGeneration)
	}
	s.line("Generation", text)
	if c.Deleting {
		s.line("Deleting", "yes")
	}
	if c.Paused {
		s.line("Paused", "yes: nothing is touched but what a deletion needs")
	}
	if c.Suspended {
		s.line("Suspended", "yes: nothing starts; once that is lifted it should be "+string(c.Power))
	}
	created := time.Unix(c.CreatedAt, 0)
	s.line("Created", fmt.Sprintf("%s (%s ago)", created.UTC().Format(time.RFC3339), render.Age(now, created)))
	if c.UpdatedAt != c.CreatedAt {
		updated := time.Unix(c.UpdatedAt, 0)
		s.line("Changed", fmt.Sprintf("%s (%s ago)", updated.UTC().Format(time.RFC3339), render.Age(now, updated)))
	}
	s.line("Container", c.ContainerID)
	s.line("Restarts", fmt.Sprint(c.Restarts))
	if c.LastExit != nil {
		s.line("Last exit", lastExit(*c.LastExit, now))
	}
}

func lastExit(e status.Exit, now time.Time) string {
	text := fmt.Sprintf("code %d", e.Code)
	if e.Signal != "" {
		text += " (" + e.Signal + ")"
	}
	if e.OOM {
		text += ", out of memory"
	}
	return text + ", " + render.Age(now, e.At) + " ago"
}

// plural is a number of things, as in "1 core" and "1.5 cores".
func plural[N int | int64 | float64](n N, thing string) string {
	text := fmt.Sprintf("%v %s", n, thing)
	switch {
	case n == 1:
		return text
	case strings.HasSuffix(thing, "s"):
		return text + "es"
	}
	return text + "s"
}

func entries(s *describeWriter, title string, m map[string]string, between string) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		name := ""
		if i == 0 {
			name = title + ":"
		}
		s.entry(name, render.Text(k+between+m[k]))
	}
}

func (d description) writeConditions(s *describeWriter, now time.Time) {
	rows := make([][]string, 0, len(d.container.Conditions))
	for _, c := range d.container.Conditions {
		rows = append(rows, []string{string(c.Type), string(c.Status), render.Age(now, c.LastTransitionTime), string(c.Reason), c.Message})
	}
	s.table("Conditions", []string{"TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"}, rows)
}

func (d description) writeDrift(s *describeWriter, now time.Time) {
	if d.drift == nil {
		return
	}
	rows := driftRows(*d.drift, now)
	for i := range rows {
		rows[i] = rows[i][1:]
	}
	s.table("Drift", driftColumns[1:], rows)
}

func (d description) writePlan(s *describeWriter, now time.Time) {
	if d.plan == nil {
		return
	}
	rows := make([][]string, 0, len(d.plan.Steps))
	for _, step := range d.plan.Steps {
		rows = append(rows, []string{string(step.Kind), step.Reason})
	}
	s.table("Next", []string{"STEP", "BECAUSE"}, rows)
	if at := attempt(d.plan.Attempt, now); at != "" {
		s.line("When", at)
	}
	if w := d.plan.Waits; w != nil {
		s.line("Waits", string(w.Reason)+": "+w.Message)
	}
}
