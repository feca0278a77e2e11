package command

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/manifest"
	"lightd/httpapi/client"
)

func (a *app) delete() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete ID...",
		Aliases: []string{"rm"},
		Short:   "Delete containers; their volumes stay",
		Long: `Deletes containers, and waits until they are gone. They can be named, chosen by a selector,
or be those that files hold; --all is all, and asks first.`,
		Example: `  lightd delete web
  lightd delete -l game=quake --dry-run
  lightd delete -f servers.yaml`,
		ValidArgsFunction: a.completeIDs,
	}
	f := deleteFlags{files: fileFlag(cmd), chosen: chosenFlags(cmd), form: ResultFlag(cmd)}
	timeoutFlag(cmd, &f.wait.timeout)
	cmd.Flags().BoolVarP(&f.sure, "yes", "y", false, "with --all: do not ask")
	cmd.Flags().BoolVar(&f.waits, "wait", true, "wait until they are gone")
	cmd.Flags().BoolVar(&f.absent, "ignore-not-found", false, "a container that is not there counts as deleted")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "tell what would be done, and do nothing")
	cmd.Args = f.check
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error { return a.deleteChosen(ctx, s, args, f) })
}

// deleteFlags are those of delete.
type deleteFlags struct {
	files  *[]string
	chosen choice
	form   *string
	wait   waiting
	// sure asks about nothing; what is absent counts as deleted.
	sure, waits, absent, dry bool
}

// check implements cobra.PositionalArgs.
func (f *deleteFlags) check(cmd *cobra.Command, args []string) error {
	given := 0
	for _, is := range []bool{len(args) > 0, len(*f.files) > 0, *f.chosen.selector != "", *f.chosen.all} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return usagef("delete takes ids, files (-f), a selector (-l) or --all: one of them")
	case f.sure && !*f.chosen.all:
		return usagef("delete: --yes has no meaning without --all: nothing else is asked about")
	}
	if err := f.wait.checkTimeout(); err != nil {
		return err
	}
	return noEmpty(cmd, args)
}

// deleteChosen deletes the containers that the arguments and flags choose.
func (a *app) deleteChosen(ctx context.Context, s *session, args []string, f deleteFlags) error {
	one := len(args) == 1
	if len(*f.files) > 0 {
		var err error
		if args, err = a.idsIn(*f.files); err != nil {
			return err
		}
	}
	args, err := f.chosen.of(ctx, s, args)
	if err != nil {
		return err
	}
	if *f.chosen.all && !f.dry && !f.sure && len(args) > 0 {
		if err := a.confirm(ctx, args); err != nil {
			return err
		}
	}
	if f.waits && !f.dry {
		stop := a.progress(ctx, s, args, s.lastSeq(ctx))
		defer stop()
	}
	d := deletion{app: a, session: s, waits: f.waits, dry: f.dry, absent: f.absent, timeout: f.wait.timeout}
	receipt, end := prefetch(ctx, args, d.run)
	defer end()
	show := receipts{app: a, form: *f.form, one: one}
	failed := a.each(ctx, s, args, func(_ context.Context, id string) error {
		receipt, err := receipt(id)
		a.catchUp(id)
		if d.absent && errors.Is(err, client.ErrNotFound) {
			return nil
		}
		return show.add(receipt.Receipt, err, func() error { return d.report(id, receipt) })
	})
	return errors.Join(show.end(), failed)
}

// idsIn returns the ids of the containers that files hold, which must be some.
func (a *app) idsIn(files []string) (ids []string, err error) {
	set, err := manifest.Read(files, a.Streams.In)
	if err != nil {
		return nil, err
	}
	if len(set.Containers) == 0 {
		return nil, usagef("delete: the files hold no container; volumes and ports are deleted by \"lightd volume delete\" and \"lightd port delete\"")
	}
	for _, o := range set.Containers {
		ids = append(ids, o.ID)
	}
	return ids, nil
}

// deleteWait is how long the daemon waits for the end of a deletion unasked.
const deleteWait = 30 * time.Second

// deletion is how containers are deleted.
type deletion struct {
	*app
	*session
	waits, dry, absent bool // absent: what is not there counts as deleted
	timeout            time.Duration
}

func (d deletion) run(ctx context.Context, id string) (client.Receipt, error) {
	w := client.Write{DryRun: d.dry}
	switch {
	case d.dry:
	case !d.waits:
		w.Timeout = time.Millisecond
	case d.timeout < deleteWait:
		w.Timeout = d.timeout
	}
	began := d.Now()
	receipt, err := d.Client.Delete(ctx, id, w)
	if err == nil && receipt.Pending() && d.waits {
		err = d.awaitGone(ctx, id, max(d.timeout-d.Now().Sub(began), time.Millisecond))
	}
	return receipt, err
}

// report prints how a deletion ended.
func (d deletion) report(id string, receipt client.Receipt) error {
	switch {
	case d.dry:
		return d.showPlan(receipt.Receipt)
	case receipt.Pending() && !d.waits:
		d.say("%s: deletion started", id)
	default:
		d.say("%s: deleted", id)
	}
	return nil
}

// fileFlag adds -f.
func fileFlag(cmd *cobra.Command) *[]string {
	files := cmd.Flags().StringArrayP("filename", "f", nil, "`file` or directory of specs, \"-\" for the standard input; may be given more than once")
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	return files
}
