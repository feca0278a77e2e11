package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/backup"
	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
)

// backUp writes a backup of the node.
func (d *daemon) backUp(ctx context.Context, to io.Writer, volumes bool) error {
	return backup.Write(ctx, to, backup.Source{
		Manifest: backup.Manifest{Version: version, Instance: d.store.Instance(), CreatedAt: time.Now().UTC().Truncate(time.Second), Volumes: volumes},
		DataDir:  d.config.Load().DataDir, Database: d.store.Backup,
	})
}

const restoreHelp = `Makes a data directory of a backup, which "lightd backup" has made. The directory must be missing or empty, and may be a disk of its own; where the backup is not whole, nothing is left of it. "-" is the standard input.

No daemon may run on it yet. Where the engine still has something of the node, the first start is refused until it is said which directory is the node: --take-over says here that it is this one. A daemon on another directory of the node then ends, and other instances are not touched. "lightd docs data" has more. A container that still runs has the old directories mounted: "lightd restart ID" gives it those of the backup. Without the volumes, containers whose volumes are not put back wait with MountUnavailable.`

// restoreCommand makes a data directory of a backup.
func restoreCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make the data directory of this node of a backup",
		Long:  restoreHelp,
		Example: `  lightd restore node-1.backup
  lightd restore node-1.backup --take-over
  ssh node-1 lightd backup - | lightd restore - --data-dir /srv/lightd`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError{Text: `restore: the name of a backup is needed, or "-" for the standard input`}
			}
			return nil
		},
	}
	var o backup.Options
	cmd.Flags().BoolVar(&o.TakeOver, "take-over", false, "make this directory the node at the first start: containers of the backup's node that the engine has are its own, and no other daemon of that node may run on")
	s := newSettings(cmd.Flags(), getenv)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		cfg, err := s.load()
		if err != nil {
			return err
		}
		from := io.NopCloser(streams.In)
		if args[0] != "-" {
			if from, err = os.Open(args[0]); err != nil {
				return fmt.Errorf("read the backup: %w", err)
			}
		}
		restored, err := backup.Restore(from, cfg.DataDir, o, cfg.logger(streams.Err))
		if err = errors.Join(err, from.Close()); err != nil {
			return err
		}
		for _, tree := range restored.Incomplete {
			fmt.Fprintln(streams.Err, "lightd: incomplete:", render.Text(tree))
		}
		what := "without the volumes"
		if restored.Volumes {
			what = "with the volumes"
		}
		_, err = fmt.Fprintf(streams.Out, "%s: the node of %s, lightd %s, %s\n", cfg.DataDir, restored.CreatedAt.Format(time.RFC3339), render.Text(restored.Version), what)
		return err
	}
	return cmd
}
