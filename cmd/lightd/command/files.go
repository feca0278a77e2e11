package command

import (
	"context"
	"fmt"
	"io"
	slashpath "path"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func (a *app) files() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "files",
		Short: "Files of a volume: list, show, edit, move, delete",
		Long:  "Files of volumes. A path is as in web:logs/latest.log: the id of a container or of a volume, a colon, and the path in the volume. \"lightd cp\" copies from and to this machine; \"lightd docs files\" has more.",
	}
	cmd.AddCommand(a.filesList(), a.filesCat(), a.filesEdit(), a.filesMake(), a.filesMove(), a.filesRemove())
	return Branch(cmd)
}

// remoteArgs checks the number of arguments, each of which is a path of a volume.
func remoteArgs(least, most int, top bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most > 0 && len(args) > most {
			return usagef("%s: %d %s expected, got %d", path(cmd), least, map[bool]string{true: "path is", false: "paths are"}[least == 1], len(args))
		}
		for _, arg := range args {
			if _, err := remoteArg(cmd, arg, top); err != nil {
				return err
			}
		}
		return nil
	}
}

// onFile has a command run for a path of a volume.
func (a *app) onFile(cmd *cobra.Command, top bool, run func(ctx context.Context, s *session, volume string, at remotePath) error) *cobra.Command {
	cmd.Args = remoteArgs(1, 1, top)
	cmd.ValidArgsFunction = a.completeRemote
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		at, err := remoteArg(cmd, args[0], top)
		if err != nil {
			return err
		}
		volume, err := s.volumeOf(ctx, at.name)
		if err != nil {
			return err
		}
		return withSubject(at.String(), run(ctx, s, volume, at))
	})
}

func (a *app) filesList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ls NAME[:PATH]",
		Short: "List a directory of a volume",
		Example: `  lightd files ls web
  lightd files ls web:logs -o json`,
	}
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML)
	return a.onFile(cmd, true, func(ctx context.Context, s *session, volume string, at remotePath) error {
		list, err := s.Files(ctx, volume, at.path)
		if err != nil {
			return err
		}
		if *form != FormTable {
			return a.encode(*form, list)
		}
		entries := list.Files
		if list.File.Type != "directory" {
			entries = []api.File{list.File}
		}
		if len(entries) == 0 {
			a.note("There is no file.")
			return nil
		}
		t := a.table([]string{"MODE", "SIZE", "AGE", "NAME"}, 4)
		for _, f := range entries {
			size := render.Bytes(f.Size)
			if f.Type == "directory" {
				size = ""
			}
			t.Row(letters(f), size, render.Age(a.Now(), f.Modified), fileName(f))
		}
		return t.Flush()
	})
}

// letters are type and permissions, as ls shows them.
func letters(f api.File) string {
	kind := map[string]byte{"directory": 'd', "symlink": 'l', "special": 's'}[f.Type]
	if kind == 0 {
		kind = '-'
	}
	text := []byte{kind}
	var mode uint32
	_, _ = fmt.Sscanf(f.Mode, "%o", &mode) // of another daemon it may be anything, and is 0 then
	for i := 8; i >= 0; i-- {
		letter := "xwr"[i%3]
		if mode&(1<<i) == 0 {
			letter = '-'
		}
		text = append(text, letter)
	}
	return string(text)
}

func fileName(f api.File) string {
	switch {
	case f.Type == "directory":
		return f.Name + "/"
	case f.Target != "":
		return f.Name + " -> " + f.Target
	}
	return f.Name
}

func (a *app) filesCat() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cat NAME:PATH",
		Short: "Show a file of a volume",
		Long:  "Writes a file of a volume to the standard output. On a terminal control characters are escaped; with --raw, and where the output is no terminal, it is written as it is.",
		Example: `  lightd files cat web:server.properties
  lightd files cat web:world.tar.gz | tar tz`,
	}
	raw := cmd.Flags().Bool("raw", false, "escape no control characters on a terminal")
	return a.onFile(cmd, false, func(ctx context.Context, s *session, volume string, at remotePath) error {
		f, err := s.ReadFile(ctx, volume, at.path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		out := a.consoleOutput(*raw || !terminal.Is(a.Streams.Out))
		defer func() { _ = out.Close() }() // of a terminal that is gone nothing is expected
		_, err = io.Copy(out, f)
		return err
	})
}

func (a *app) filesMake() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "mkdir NAME:PATH",
		Short:   "Make a directory in a volume",
		Example: `  lightd files mkdir -p web:plugins/maps`,
	}
	parents := cmd.Flags().BoolP("parents", "p", false, "make those above it too; one that is there is no error")
	return a.onFile(cmd, false, func(ctx context.Context, s *session, volume string, at remotePath) error {
		_, err := s.FileOperation(ctx, volume, api.FileOperation{Op: client.MakeDirectory, Path: at.path, Parents: *parents})
		if err == nil {
			a.say("%s: made", at)
		}
		return err
	})
}

func (a *app) filesMove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mv NAME:PATH NEWPATH",
		Short: "Give a file or directory of a volume another path",
		Example: `  lightd files mv web:world world-old
  lightd files mv -f web:server.properties.new web:server.properties`,
		ValidArgsFunction: a.completeRemote,
	}
	overwrite := cmd.Flags().BoolP("force", "f", false, "replace a file that is there")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) != 2 {
			return usagef("%s: two paths are expected, got %d", path(cmd), len(args))
		}
		_, err := remoteArg(cmd, args[0], false)
		return err
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		from, err := remoteArg(cmd, args[0], false)
		if err != nil {
			return err
		}
		to := remotePath{from.name, args[1]}
		if named, is := parseRemote(args[1]); is {
			if named.name != from.name {
				return usagef("%s: both paths must be of %s: \"lightd cp\" copies elsewhere", path(cmd), from.name)
			}
			to = named
		}
		volume, err := s.volumeOf(ctx, from.name)
		if err != nil {
			return err
		}
		_, err = s.FileOperation(ctx, volume, api.FileOperation{Op: client.RenameFile, From: from.path, To: to.path, Overwrite: *overwrite})
		if err == nil {
			a.say("%s: moved to %s", from, to.path)
		}
		return withSubject(from.String(), err)
	})
}

func (a *app) filesRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rm NAME:PATH...",
		Short: "Delete files of volumes",
		Example: `  lightd files rm web:logs/old.log
  lightd files rm -r web:cache web:tmp`,
		Args:              remoteArgs(1, 0, false),
		ValidArgsFunction: a.completeRemote,
	}
	recursive := cmd.Flags().BoolP("recursive", "r", false, "delete directories too, with all that is in them")
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		return a.each(ctx, s, args, func(ctx context.Context, arg string) error {
			at, err := remoteArg(cmd, arg, false)
			if err != nil {
				return err
			}
			volume, err := s.volumeOf(ctx, at.name)
			if err != nil {
				return err
			}
			if !*recursive {
				// A page of one entry would do; the directory is not looked at further.
				is, err := s.File(ctx, volume, at.path)
				if err != nil {
					return err
				}
				if is.Type == "directory" {
					return coded{fmt.Errorf("it is a directory: -r deletes it with all that is in it"), ExitUsage}
				}
			}
			done, err := s.DeleteFiles(ctx, volume, at.path)
			switch {
			case err != nil:
				return err
			case done.Deleted == 0:
				return coded{fmt.Errorf("there is no such file"), ExitNotFound}
			}
			a.say("%s: deleted", slashpath.Clean(at.String()))
			return nil
		})
	})
}
