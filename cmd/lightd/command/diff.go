package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func (a *app) diff() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff -f FILE",
		Short: "Show how applying files would change the specs",
		Long: `Shows how applying files would change the specs, as a unified difference. It ends with 0 when
there is none and with 1 when there is; what else would end with 1 ends with 2.`,
		Example: `  lightd diff -f servers/`,
	}
	l := listFlags(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := NoArgs(cmd, args); err != nil {
			return err
		}
		return l.check(cmd)
	}
	a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		set, list, err := l.read(a)
		if err != nil {
			return err
		}
		applied, err := s.send(ctx, set, list, client.Write{DryRun: true})
		if err != nil {
			return err
		}
		differs, err := a.diffBeside(applied.Applied)
		if err != nil {
			return err
		}
		for _, r := range applied.Containers {
			one, err := a.showDiff(ctx, s, r)
			if err != nil {
				return withSubject(r.InternalID, err)
			}
			differs = differs || one
		}
		if differs {
			return Exit(ExitFailed)
		}
		return nil
	})
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		if err != nil && !errors.Is(err, errSilent) && ExitCode(err) == ExitFailed {
			return coded{err, ExitUsage}
		}
		return err
	}
	return cmd
}

// diffBeside writes which volumes and how many ports of the pool would be new. Which of the ports is not known.
func (a *app) diffBeside(applied api.Applied) (bool, error) {
	after := ""
	for _, v := range applied.Volumes {
		if v.Action == desired.Created {
			after += "volume " + v.VolumeID + "\n"
		}
	}
	if p := applied.Ports; p != nil && p.Created > 0 {
		after += plural(p.Created, "port") + " of the pool\n"
	}
	return render.Diff(a.Streams.Out, "is/node", "would be/node", "", after, a.colour(a.Streams.Out))
}

// showDiff writes the difference of one container. The daemon returns what would be stored,
// its own defaults and the ports that it assigns included.
func (a *app) showDiff(ctx context.Context, s *session, r api.Receipt) (bool, error) {
	if r.Action == desired.Unchanged {
		return false, nil
	}
	before, after := "", ""
	if r.Action != desired.Created {
		now, err := s.Get(ctx, r.InternalID)
		if err != nil {
			return false, err
		}
		if before, err = specText(now.Spec()); err != nil {
			return false, err
		}
	}
	if r.Action != desired.Deleted && r.Spec != nil {
		var err error
		if after, err = specText(*r.Spec); err != nil {
			return false, err
		}
	}
	return render.Diff(a.Streams.Out, "is/"+r.InternalID, "would be/"+r.InternalID, before, after, a.colour(a.Streams.Out))
}

// specText is a spec as text. The daemon's answers have words for what a spec leaves out: both sides are
// compared in the one form.
func specText(spec desired.Spec) (string, error) {
	var b bytes.Buffer
	spec = spec.Normalize()
	spec.Network = cmp.Or(spec.Network, desired.NetworkDefault)
	err := render.YAML(&b, spec)
	return b.String(), err
}
