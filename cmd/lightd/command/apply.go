package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/manifest"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// listing is the flags of a command that reads a list of specs.
type listing struct {
	files    *[]string
	prune    *bool
	selector *string
}

// listFlags adds -f, --prune and -l.
func listFlags(cmd *cobra.Command) listing {
	l := listing{
		files:    fileFlag(cmd),
		prune:    cmd.Flags().Bool("prune", false, "delete what the selector chooses and the files lack"),
		selector: cmd.Flags().StringP("selector", "l", "", "what --prune is about: containers with these labels, as in `a=b`"),
	}
	return l
}

func (l listing) check(cmd *cobra.Command) error {
	switch {
	case len(*l.files) == 0:
		return usagef("%s: -f FILE is needed%s", cmd.Name(), map[bool]string{true: ", or the id of a container"}[cmd.Name() == "plan"])
	case *l.prune && *l.selector == "":
		return usagef("%s: --prune needs a selector (-l): without one it would delete every container that the files lack", cmd.Name())
	case !*l.prune && *l.selector != "":
		return usagef("%s: a selector (-l) has no meaning without --prune: the files say what is meant", cmd.Name())
	}
	return nil
}

// read reads the files, and returns what they hold both unchanged and as an apply sends it.
func (l listing) read(a *app) (manifest.Set, client.List, error) {
	set, err := manifest.Read(*l.files, a.Streams.In)
	if err != nil {
		return set, client.List{}, err
	}
	if *l.prune && len(set.Containers) == 0 {
		return set, client.List{}, usagef("--prune: the files hold no container, and it would delete every one that the selector chooses")
	}
	list := client.List{Prune: *l.prune, Selector: *l.selector}
	for _, part := range []struct {
		from []manifest.Object
		to   *[]json.RawMessage
	}{{set.Containers, &list.Documents}, {set.Volumes, &list.VolumeDocuments}, {set.Ports, &list.PortDocuments}} {
		for _, o := range part.from {
			data, err := json.Marshal(o)
			if err != nil {
				return set, list, fmt.Errorf("encode %s:%d: %w", o.File, o.Line, err)
			}
			*part.to = append(*part.to, data)
		}
	}
	return set, list, nil
}

// send applies a list. A refusal is reported with file, line and path.
func (s *session) send(ctx context.Context, set manifest.Set, list client.List, w client.Write) (client.Applied, error) {
	applied, err := s.Apply(ctx, list, w)
	return applied, located(set, err)
}

var ofList = regexp.MustCompile(`^(containers|volumes|ports)\[(\d+)\](?:\.(.*))?$`)

// refusedFile is a refusal that is about lines of files.
type refusedFile struct {
	lines manifest.Error
	error
}

func (e refusedFile) Unwrap() []error { return []error{&e.lines, e.error} }

// located finds the places in files that a refusal is about.
func located(set manifest.Set, err error) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	lists := map[string][]manifest.Object{"containers": set.Containers, "volumes": set.Volumes, "ports": set.Ports}
	var lines manifest.Error
	for _, d := range refused.Details {
		m := ofList.FindStringSubmatch(d.Field)
		if m == nil {
			return err
		}
		objects, path := lists[m[1]], m[3]
		i, bad := strconv.Atoi(m[2])
		if bad != nil || i >= len(objects) {
			return err
		}
		fault := objects[i].Fault(path, d.Message)
		switch {
		case path == "" && objects[i].ID != "":
			fault.Message = objects[i].ID + ": " + strings.TrimSuffix(d.Message, fmt.Sprintf(": %q", objects[i].ID))
		case path == "":
			fault.Path = d.Field
		case strings.HasPrefix(d.Message, refused.Sentence): // a sentence of its own, not the rest of one
			fault.Path += ":"
		}
		lines.Faults = append(lines.Faults, fault)
	}
	if len(lines.Faults) == 0 {
		return err
	}
	return refusedFile{lines, err}
}

func (a *app) apply() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make containers as files say: all or nothing",
		Long: `Makes containers as files say, all of them or, when anything is wrong with one, none. What is
so already stays as it is. A file holds YAML or JSON, one spec a document or lists of them;
what it leaves out gets the daemon's default ("lightd explain" tells the fields). A document with
"volumes" and "ports" beside its "containers" makes these too, all or nothing; no apply deletes one.`,
		Example: `  lightd apply -f servers.yaml
  lightd apply -f servers/ --prune -l managed-by=me --wait
  lightd get web -o yaml | sed s/25565/25566/ | lightd apply -f -`,
	}
	l := listFlags(cmd)
	w := waitFlags(cmd, api.UntilSynced)
	dry := cmd.Flags().Bool("dry-run", false, "tell what would be done, and do nothing (\"lightd plan\" tells the steps)")
	form := ResultFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := cmp.Or(w.checkArgs(cmd, args), NoArgs(cmd, args)); err != nil {
			return err
		}
		if *dry && w.goal != "" {
			return usagef("--dry-run does nothing that could be waited for")
		}
		return l.check(cmd)
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		set, list, err := l.read(a)
		if err != nil {
			return err
		}
		if w.goal != "" {
			names := make([]string, len(set.Containers))
			for i, o := range set.Containers {
				names[i] = o.ID
			}
			stop := a.progress(ctx, s, names, s.lastSeq(ctx))
			defer stop()
		}
		write := w.write()
		write.DryRun = *dry
		end := time.Now().Add(w.timeout)
		applied, err := s.send(ctx, set, list, write)
		if err != nil {
			return err
		}
		return a.showApplied(ctx, s, applied, end, shownAs{*dry, *form})
	})
}

// waitForRest continues to wait for the containers of an apply whose wait ended before their own end:
// the daemon answers as soon as one fails, and no request waits longer than 10 minutes.
func (s *session) waitForRest(ctx context.Context, applied client.Applied, end time.Time) (waited func(*client.WaitError) error, stop func()) {
	goals := map[string]api.Goal{}
	var ids []string
	for _, r := range applied.Containers {
		cut := r.Wait != nil && !r.Wait.Met && (r.Wait.Reason == api.ReasonPending || r.Wait.Reason == api.ReasonTimeout)
		if cut && time.Until(end) > time.Second {
			ids, goals[r.InternalID] = append(ids, r.InternalID), r.Wait.For
		}
	}
	result, stop := prefetch(ctx, ids, func(ctx context.Context, id string) (client.Receipt, error) {
		return s.follow.Wait(ctx, id, goals[id], max(time.Until(end), time.Millisecond))
	})
	return func(unmet *client.WaitError) error {
		if goals[unmet.InternalID] == "" {
			return unmet
		}
		_, err := result(unmet.InternalID)
		return err
	}, stop
}

// madeBeside describes what an apply has made, or would make, of what containers need.
func madeBeside(applied api.Applied) (lines []string) {
	for _, v := range applied.Volumes {
		lines = append(lines, fmt.Sprintf("volume %s: %s", v.VolumeID, v.Action))
	}
	if p := applied.Ports; p != nil {
		lines = append(lines, fmt.Sprintf("ports of the pool: %d created, %d unchanged", p.Created, p.Unchanged))
	}
	return lines
}

// shownAs is how an apply is shown: as one that has changed nothing, or in another form than sentences.
type shownAs struct {
	dry  bool
	form string
}

func (a *app) showApplied(ctx context.Context, s *session, applied client.Applied, end time.Time, as shownAs) error {
	suffix := ""
	if as.dry {
		suffix = " (dry run)"
	}
	say := func(format string, args ...any) {
		if as.form == FormText {
			a.say(format, args...)
		}
	}
	for _, line := range madeBeside(applied.Applied) {
		say("%s%s", line, suffix)
	}
	failed := map[int]int{} // exit codes, and how often
	rest, stop := s.waitForRest(ctx, applied, end)
	defer stop()
	for i, r := range applied.Containers {
		text := string(r.Action)
		if r.Action != desired.Deleted {
			text += fmt.Sprintf(", generation %d", r.Generation)
		}
		var unmet error
		switch {
		case r.Wait == nil || r.Wait.Met:
		default:
			unmet = rest(&client.WaitError{InternalID: r.InternalID, Wait: *r.Wait})
		}
		a.catchUp(r.InternalID)
		if r.Wait != nil && unmet == nil {
			text += ", " + string(r.Wait.For)
			applied.Containers[i].Wait.Met = true // where the rest of the wait was another request
		}
		say("%s: %s%s", r.InternalID, text, suffix)
		a.warn(r)
		if unmet != nil {
			failed[ExitCode(unmet)]++
			a.fail(withSubject(r.InternalID, unmet))
		}
	}
	if err := a.encodeApplied(as.form, applied.Applied); err != nil {
		return err
	}
	switch {
	case len(failed) == 0:
		return nil
	case failed[ExitInterrupted] > 0:
		return context.Canceled
	case failed[ExitGoalFailed] > 0:
		return Exit(ExitGoalFailed)
	}
	return Exit(ExitTimeout)
}

// encodeApplied writes what an apply did in another form than sentences. Names, and rows of columns, are
// those of its containers.
func (a *app) encodeApplied(form string, applied api.Applied) error {
	if form == FormText {
		return nil
	}
	return WriteListOf(a.Streams, form, applied.Containers, applied)
}
