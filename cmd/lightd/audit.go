package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/desired/token"
	"lightd/httpapi/audit"
)

// auditFiles are where the audit goes, and how much of it is kept.
type auditFiles struct {
	// Output is "file", "stdout" or "off".
	Output string `yaml:"output"`
	// MaxSize and MaxAge bound one file, MaxFiles how many there are.
	MaxSize  string        `yaml:"max_size"`
	MaxAge   time.Duration `yaml:"max_age"`
	MaxFiles int           `yaml:"max_files"`
	// ConsoleInput records the text of console input too.
	ConsoleInput bool `yaml:"console_input"`
}

// A file has room for more than one line, and one that is full is kept beside the present one.
const (
	minAuditSize                 = 64 << 10
	minAuditFiles, maxAuditFiles = 2, 1000
	minAuditAge                  = time.Minute
)

func (a auditFiles) check() error {
	switch audit.Output(a.Output) {
	case audit.ToFile, audit.ToStdout, audit.Off:
	default:
		return badSetting("audit.output", "audit.output: %q is not one of file, stdout, off", a.Output)
	}
	if n, err := parseBytes(a.MaxSize); err != nil || n < minAuditSize {
		return badSetting("audit.max_size", "audit.max_size: %q is not a size of at least 64k, as in 10Mi", a.MaxSize)
	}
	if a.MaxAge < minAuditAge {
		return badSetting("audit.max_age", "audit.max_age: it must be at least %s, not %s", minAuditAge, a.MaxAge)
	}
	if a.MaxFiles < minAuditFiles || a.MaxFiles > maxAuditFiles {
		return badSetting("audit.max_files", "audit.max_files: it must be from %d to %d, not %d", minAuditFiles, maxAuditFiles, a.MaxFiles)
	}
	return nil
}

// auditConfig is how the audit is written, after check.
func (c *config) auditConfig(stdout io.Writer, log *slog.Logger) audit.Config {
	size, _ := parseBytes(c.Audit.MaxSize) // check has read it
	return audit.Config{
		Output: audit.Output(c.Audit.Output), DataDir: c.DataDir, Stdout: stdout, ConsoleInput: c.Audit.ConsoleInput, Log: log,
		Limits: audit.Limits{MaxSize: size, MaxAge: c.Audit.MaxAge, MaxFiles: c.Audit.MaxFiles},
	}
}

// masterEvery is how often the file of the master token is compared with what it was.
const masterEvery = time.Second

// auditMaster records resets of the master token, which another process does in its file, and the end of the
// one before, with which the tokens that it has made end.
func (d *daemon) auditMaster(ctx context.Context) {
	tick := time.NewTicker(masterEvery)
	defer tick.Stop()
	last := d.tokens.Masters()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := d.tokens.Masters(); len(now) > 0 {
			d.auditMasters(last, now)
			last = now
		}
	}
}

// auditMasters records how the master tokens that hold now differ from those that held before.
func (d *daemon) auditMasters(before, now []string) {
	if len(before) == 0 || now[0] != before[0] {
		d.log.Info("master token has changed")
		d.audit.Write(audit.Line{Time: time.Now(), Event: audit.EventMaster, Action: "reset"})
	}
	for _, old := range before {
		if slices.Contains(now, old) {
			continue
		}
		made := d.tokens.MadeBy(old)
		d.log.Info("former master token has ended, with the tokens that it has made", "tokens", made)
		d.audit.Write(audit.Line{Time: time.Now(), Event: audit.EventMaster, Action: "end", Count: made})
	}
}

// auditFilter chooses lines.
type auditFilter struct {
	who, container string
	since          time.Time
}

func (f auditFilter) matches(l audit.Line) bool {
	if f.who != "" && f.who != l.Token && f.who != l.TokenName && f.who != l.Certificate && (l.UID == nil || f.who != uidText(*l.UID)) {
		return false
	}
	if f.container != "" && f.container != l.Container {
		changed := false
		for _, c := range l.Changes {
			changed = changed || c.Container == f.container
		}
		if !changed {
			return false
		}
	}
	return !l.Time.Before(f.since)
}

func uidText(uid uint32) string { return "uid=" + strconv.FormatUint(uint64(uid), 10) }

func auditCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who changed what on this node",
		Long:  "Reads the files of the audit on this machine, as root; the daemon need not run. \"lightd docs audit\" has what a line means.",
		Example: `  lightd audit --since 24h
  lightd audit -f --container web
  lightd audit --who billing -o json`,
		Args: command.NoArgs,
	}
	s := newSettings(cmd.Flags(), getenv, "data-dir")
	var filter auditFilter
	flags := cmd.Flags()
	follow := flags.BoolP("follow", "f", false, "go on with what is written")
	flags.StringVar(&filter.who, "who", "", "the `id` or name of a token, the name of a certificate, or uid=N")
	flags.StringVar(&filter.container, "container", "", "the `id` of a container")
	since := flags.String("since", "", "from this `time` on, as in RFC 3339, or how long ago, as in 10m")
	output := flags.StringP("output", "o", "", "`form`: json, each line as in the file")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *output != "" && *output != "json" {
			return usageError{Text: fmt.Sprintf("audit: --output %q is not json", *output)}
		}
		var err error
		if filter.since, err = auditSince(*since, time.Now()); err != nil {
			return err
		}
		cfg, err := s.loadForClient()
		if err != nil {
			return err
		}
		bad := 0
		err = audit.Read(cmd.Context(), cfg.DataDir, *follow, func(e audit.Entry) error {
			switch {
			case e.Err != nil:
				bad++
				return nil
			case !filter.matches(e.Line):
				return nil
			case *output == "json":
				return writeAuditJSON(streams.Out, e.Raw)
			}
			_, err := fmt.Fprintln(streams.Out, auditText(e.Line))
			return err
		})
		if bad > 0 {
			fmt.Fprintf(streams.Err, "%d lines could not be read: they were damaged\n", bad)
		}
		return noAudit(err, cfg.DataDir)
	}
	return cmd
}

// noAudit explains why the files cannot be read.
func noAudit(err error, dataDir string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no audit in %s; it may go to the standard output, or be off (%w)", dataDir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the audit is for root alone (%w)", err)
	}
	return err
}

// auditSince reads a time, or how long ago it was; the zero time where none is given.
func auditSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, ok := command.ParseAgo(text); ok {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usageError{Text: fmt.Sprintf("audit: --since %q is neither a time as in 2006-01-02T15:04:05Z nor a duration as in 10m or 1d", text)}
	}
	return at, nil
}

// writeAuditJSON writes a line as it is in the file: valid JSON, which has control characters escaped.
func writeAuditJSON(out io.Writer, raw []byte) error {
	if !json.Valid(raw) {
		return errors.New("audit line is no JSON")
	}
	_, err := fmt.Fprintf(out, "%s\n", raw)
	return err
}

// auditText is a line for people, with control characters escaped.
func auditText(l audit.Line) string {
	fields := []string{l.Time.UTC().Format("2006-01-02T15:04:05.000Z"), string(l.Event), auditWho(l), cmp.Or(l.Remote, "-")}
	fields = append(fields, auditWhat(l)...)
	if l.Status != 0 {
		fields = append(fields, strconv.Itoa(l.Status))
	}
	fields = append(fields, auditDetails(l)...)
	return render.Text(strings.Join(fields, "  "))
}

// auditWho names who sent a request.
func auditWho(l audit.Line) string {
	who := cmp.Or(l.TokenName, l.Token, "-")
	if l.TokenName != "" && l.TokenName != l.Token && l.Token != token.MasterID {
		who += " (" + l.Token + ")"
	}
	if l.Certificate != "" {
		who += " certificate=" + l.Certificate
	}
	if l.UID != nil {
		who += " " + uidText(*l.UID)
	}
	return who
}

// auditWhat is what a request was for, and what it has done.
func auditWhat(l audit.Line) (what []string) {
	request := strings.TrimSpace(strings.Join([]string{l.Method, l.Route, l.Action}, " "))
	for _, text := range []string{request, l.Container, l.Volume, l.Port, l.MadeToken, l.Webhook} {
		if text != "" {
			what = append(what, text)
		}
	}
	if l.Ports > 1 {
		what = append(what, fmt.Sprintf("(%d ports)", l.Ports))
	}
	if l.DryRun {
		what = append(what, "dry-run")
	}
	for _, c := range l.Changes {
		change := fmt.Sprintf("%s %d->%d", c.Action, c.Before, c.Generation)
		if c.Container != l.Container {
			change = c.Container + " " + change
		}
		what = append(what, change)
	}
	return what
}

// auditDetails is what only some lines have.
func auditDetails(l audit.Line) (details []string) {
	for _, text := range []string{l.Code, l.RequestID} {
		if text != "" {
			details = append(details, text)
		}
	}
	if l.Duration != 0 {
		details = append(details, fmt.Sprintf("%.1fms", l.Duration))
	}
	if l.Count != 0 {
		details = append(details, fmt.Sprintf("count=%d", l.Count))
	}
	if l.Bytes != 0 {
		details = append(details, fmt.Sprintf("bytes=%d", l.Bytes))
	}
	if l.Text != "" {
		details = append(details, "text="+l.Text)
	}
	return details
}
