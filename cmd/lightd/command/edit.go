package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/manifest"
	"lightd/cmd/lightd/terminal"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func (a *app) edit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edit ID",
		Short: "Change the spec of a container in an editor",
		Long: `Opens the spec of a container in an editor, $VISUAL or $EDITOR or else vi, and applies what was saved.
What is refused is opened again with the reasons on top. An edit that is given up after that, or whose
container was changed meanwhile, stays in its file, which is named. Nothing is changed where nothing was
saved, or all was deleted.`,
		Example: `  lightd edit web
  EDITOR=nano lightd edit web --wait`,
		ValidArgsFunction: a.completeOne,
	}
	w := waitFlags(cmd, api.UntilSynced)
	form := ResultFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		return errors.Join(w.checkArgs(cmd, args), oneID(cmd, args))
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		id := args[0]
		found, err := s.Get(ctx, id)
		switch {
		case err != nil:
			return withSubject(id, err)
		case found.EnvHidden:
			return withSubject(id, errors.New("the token may not see the environment, which an edit would empty: \"lightd patch\" changes the rest"))
		}
		e := &edition{app: a, session: s, id: id, etag: found.ETag}
		defer e.close()
		receipt, err := e.run(ctx, found.Spec(), w.write())
		if err != nil || receipt == nil {
			return withSubject(id, err)
		}
		if w.goal != "" {
			err = w.rest(ctx, s, id, receipt.Unmet())
		}
		show := receipts{app: a, form: *form, one: true}
		err = show.add(receipt.Receipt, withSubject(id, err), func() error {
			a.say("%s: %s", id, outcome(receipt.Receipt))
			a.warn(receipt.Receipt)
			return nil
		})
		return errors.Join(show.end(), err)
	})
}

// edition is a spec in an editor.
type edition struct {
	*app
	session  *session
	id, etag string
	file     string
	keep     bool // whether the file stays
}

func (e *edition) close() {
	if e.file != "" && !e.keep {
		_ = os.Remove(e.file) // what is left of it is in the directory for what is left
	}
}

// run has a spec edited until it is written or given up. It returns no receipt where nothing was to be
// written.
func (e *edition) run(ctx context.Context, spec desired.Spec, w client.Write) (*client.Receipt, error) {
	original, err := specText(spec)
	if err != nil {
		return nil, err
	}
	before, faults := original, []string(nil)
	for {
		after, err := e.open(ctx, before, faults)
		switch {
		case err != nil:
			return nil, err
		case strings.TrimSpace(after) == "" || after == original:
			e.note("%s: nothing was changed.", e.id)
			return nil, nil
		case after == before: // what was refused was saved again
			return nil, e.kept(fmt.Errorf("the edit was given up: %s", strings.Join(faults, "; ")))
		}
		var refused *client.Error
		var files *manifest.Error
		receipt, err := e.write(ctx, after, w)
		switch {
		case err == nil:
			return &receipt, nil
		case errors.Is(err, client.ErrPrecondition):
			return nil, e.kept(coded{errors.New("it was changed meanwhile"), ExitConflict})
		case errors.As(err, &files):
			faults = faultLines(files)
		case errors.As(err, &refused) && (refused.Status < 500) && !errors.Is(err, client.ErrUnauthorized) && !errors.Is(err, client.ErrNotFound) && refused.Code != "":
			faults = strings.Split(refusal(refused), "; ")
		default:
			return nil, e.kept(err)
		}
		before = after
	}
}

// kept is err, with where the edit is.
func (e *edition) kept(err error) error {
	e.keep = true
	return coded{fmt.Errorf("%s; the edit is in %s: \"lightd apply -f\" takes it", sentence(err), e.file), ExitCode(err)}
}

// faultLines are the faults of an edit, by the number of their line below what stands on top.
func faultLines(files *manifest.Error) []string {
	lines := make([]string, len(files.Faults))
	for i, f := range files.Faults {
		text := strings.TrimSpace(f.Path + " " + f.Message)
		if f.Line > 0 && f.Path == "" {
			text = fmt.Sprintf("in line %d below: %s", f.Line, text)
		}
		lines[i] = text
	}
	return lines
}

// open has a text edited, below what is wrong with it, and returns it as it was saved.
func (e *edition) open(ctx context.Context, text string, faults []string) (string, error) {
	top := "# The spec of " + e.id + ". Lines on top that begin with # are left out; to change nothing, save nothing.\n"
	for _, fault := range faults {
		top += "# It was refused: " + strings.ReplaceAll(fault, "\n", "\n#   ") + "\n"
	}
	if err := e.save(top + text); err != nil {
		return "", fmt.Errorf("edit: %w", err)
	}
	failed := e.runEditor(ctx, e.file)
	data, err := os.ReadFile(e.file)
	switch {
	case failed != nil && (err != nil || string(data) == top+text):
		return "", failed
	case failed != nil:
		return "", e.kept(failed)
	case err != nil:
		return "", fmt.Errorf("edit: %w", err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
		lines = lines[1:]
	}
	return strings.Join(lines, ""), nil
}

// runEditor has a file edited.
func (a *app) runEditor(ctx context.Context, file string) error {
	editor := cmp.Or(a.Getenv("VISUAL"), a.Getenv("EDITOR"))
	if editor == "" && !terminal.Is(a.Streams.In) {
		return usagef("there is no terminal to edit on: EDITOR can name a program that needs none")
	}
	editor = cmp.Or(editor, "vi")
	run := exec.CommandContext(ctx, "/bin/sh", "-c", editor+` "$1"`, "lightd", file)
	run.Stdin, run.Stdout, run.Stderr = a.Streams.In, a.Streams.Out, a.Streams.Err
	if err := run.Run(); err != nil {
		return fmt.Errorf("the editor %q failed: %w", editor, err)
	}
	return nil
}

// save writes the file, which only its user may read: a spec has secrets.
func (e *edition) save(text string) error {
	if e.file != "" {
		return os.WriteFile(e.file, []byte(text), 0o600)
	}
	f, err := os.CreateTemp("", "lightd-edit-*.yaml")
	if err != nil {
		return err
	}
	e.file = f.Name()
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// write writes what was saved, if the container is still as it was read.
func (e *edition) write(ctx context.Context, text string, w client.Write) (client.Receipt, error) {
	set, err := manifest.Read([]string{manifest.Stdin}, strings.NewReader(text))
	if err != nil {
		return client.Receipt{}, err
	}
	if len(set.Containers) != 1 || len(set.Volumes)+len(set.Ports) > 0 {
		return client.Receipt{}, &manifest.Error{Faults: []manifest.Diagnostic{{Message: "one spec is expected"}}}
	}
	o := set.Containers[0]
	if o.ID != e.id {
		return client.Receipt{}, &manifest.Error{Faults: []manifest.Diagnostic{{Path: "internal_id", Message: fmt.Sprintf("must stay %q", e.id)}}}
	}
	document, err := o.MarshalJSON()
	if err != nil {
		return client.Receipt{}, err
	}
	w.IfMatch = e.etag
	return e.session.PutDocument(ctx, e.id, document, w)
}
