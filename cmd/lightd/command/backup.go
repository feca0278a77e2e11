package command

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
)

func (a *app) backup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that makes the node to a file, for \"lightd restore\"",
		Long: `Writes the database, the tokens and what installations have made to FILE, or to the standard
output with "-", while the daemon works; with --volumes the files of servers too. A program that writes
meanwhile may be caught in the middle: stop what must not be. The file has the master token: keep it as
you keep that. It is whole when the command ends without an error, and not there otherwise.`,
		Example: `  sudo lightd backup /srv/backups/node-1
  sudo lightd backup --volumes - | ssh storage 'cat > node-1.backup'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("backup: the name of a file is needed, or \"-\" for the standard output")
			}
			return nil
		},
	}
	volumes := cmd.Flags().Bool("volumes", false, "with the files of volumes")
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		from, err := s.Backup(ctx, *volumes)
		if err != nil {
			return err
		}
		if args[0] == "-" {
			_, err = io.Copy(a.Streams.Out, from)
			return errors.Join(err, from.Close())
		}
		size, err := writeWhole(args[0], from)
		if err = errors.Join(err, from.Close()); err != nil {
			return withSubject(args[0], err)
		}
		a.say("%s: %s", args[0], render.Bytes(size))
		return nil
	})
}

// partial is what the name of a file ends with that is not whole yet.
const partial = ".partial"

// writeWhole writes a file that its owner alone can read, whole or not at all.
func writeWhole(name string, from io.Reader) (size int64, err error) {
	f, err := os.OpenFile(name+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) { // of one that was killed
		if err = os.Remove(name + partial); err == nil {
			f, err = os.OpenFile(name+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		}
	}
	if err != nil {
		return 0, err
	}
	if size, err = io.Copy(f, from); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(name+partial, name)
	}
	if err != nil {
		return size, errors.Join(err, os.Remove(name+partial))
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return size, err
	}
	return size, errors.Join(dir.Sync(), dir.Close())
}
