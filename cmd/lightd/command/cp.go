package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// standard is the standard input or output, where a local file is meant.
const standard = "-"

func (a *app) cp() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cp SRC DST",
		Short: "Copy files between a volume and this machine",
		Long: `Copies a file, or with -r a directory, between this machine and a volume. A path of a volume is as in
web:logs/latest.log: the id of a container or of a volume, a colon, and the path in it. "-" is the standard input or
output. What is copied to a directory that is there, or to a path that ends with a slash, goes into it under its
own name. A file is replaced whole or not at all, and a directory file by file. Links, and what else is neither
a file nor a directory, are left out.`,
		Example: `  lightd cp server.properties web:
  lightd cp web:logs/latest.log -
  lightd cp -r plugins web:
  pg_dump shop | lightd cp - web:backup.sql`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
			offers, directive := a.completeRemote(cmd, args, toComplete)
			if _, remote := parseRemote(toComplete); !remote {
				directive &^= cobra.ShellCompDirectiveNoFileComp
			}
			return offers, directive
		},
	}
	recursive := cmd.Flags().BoolP("recursive", "r", false, "copy a directory with all that is in it")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) != 2 || args[0] == "" || args[1] == "" {
			return usagef("%s: a source and a destination are expected, got %d", path(cmd), len(args))
		}
		_, from := parseRemote(args[0])
		_, to := parseRemote(args[1])
		if from == to {
			return usagef("%s: one of both must be a path of a volume, as in web:logs, and the other one of this machine; ./a:b is a local path", path(cmd))
		}
		if *recursive && (args[0] == standard || args[1] == standard) {
			return usagef("%s: the standard input and output are no directories", path(cmd))
		}
		return nil
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		args := cmd.Flags().Args() // as they were typed: container/x is a local path
		c := copying{app: a, session: s, recursive: *recursive}
		if to, up := parseRemote(args[1]); up {
			return c.upload(ctx, args[0], to)
		}
		from, _ := parseRemote(args[0])
		return c.download(ctx, from, args[1])
	})
}

// copying is a copy between this machine and a volume.
type copying struct {
	*app
	session   *session
	recursive bool
	volume    string
	files     int
	bytes     int64
}

var errNeedsRecursive = coded{errors.New("it is a directory: -r copies it with all that is in it"), ExitUsage}

// upload copies to a volume.
func (c *copying) upload(ctx context.Context, from string, to remotePath) (err error) {
	if c.volume, err = c.session.volumeOf(ctx, to.name); err != nil {
		return err
	}
	if from == standard {
		if to.path == "" || strings.HasSuffix(to.path, "/") {
			return usagef("cp: a name for the standard input is needed, as in %s", to.join("file"))
		}
		_, err := c.session.WriteFile(ctx, c.volume, to.path, c.Streams.In, client.FileWrite{})
		return c.done(to.String(), err)
	}
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return coded{err, ExitNotFound}
	case info.IsDir() && !c.recursive:
		return withSubject(from, errNeedsRecursive)
	}
	if to, err = c.target(ctx, to, filepath.Base(absolute(from))); err != nil {
		return withSubject(to.String(), err)
	}
	if !info.IsDir() {
		return c.done(to.String(), c.uploadFile(ctx, from, to))
	}
	return c.done(to.String(), c.uploadTree(ctx, from, to))
}

func absolute(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// target is where something of a name goes: into a directory that is there, or else to the very path.
func (c *copying) target(ctx context.Context, to remotePath, name string) (remotePath, error) {
	if to.path == "" || strings.HasSuffix(to.path, "/") {
		return to.join(name), nil
	}
	is, err := c.session.File(ctx, c.volume, to.path)
	switch {
	case errors.Is(err, client.ErrNotFound):
		return to, nil
	case err != nil:
		return to, err
	case is.Type == "directory":
		return to.join(name), nil
	}
	return to, nil
}

// uploadFile copies a file with its permissions.
func (c *copying) uploadFile(ctx context.Context, from string, to remotePath) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w := client.FileWrite{Mode: fmt.Sprintf("%04o", info.Mode().Perm())}
	if info.Mode().IsRegular() {
		w.Size = info.Size()
	}
	wrote, err := c.session.WriteFile(ctx, c.volume, to.path, f, w)
	if err != nil {
		return withSubject(to.String(), err)
	}
	c.count(wrote.Size)
	return nil
}

func (c *copying) count(bytes int64) {
	c.files++
	c.bytes += bytes
}

// uploadTree copies a directory.
func (c *copying) uploadTree(ctx context.Context, from string, to remotePath) error {
	return filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		at := to.join(filepath.ToSlash(below))
		switch {
		case e.IsDir() && at.path == ".", at.path == "":
			return nil
		case e.IsDir():
			_, err := c.session.FileOperation(ctx, c.volume, api.FileOperation{Op: client.MakeDirectory, Path: at.path, Parents: true})
			return withSubject(at.String(), err)
		case e.Type().IsRegular():
			return c.uploadFile(ctx, name, at)
		}
		c.note("%s: left out: it is neither a file nor a directory", name)
		return nil
	})
}

// done says what was copied.
func (c *copying) done(subject string, err error) error {
	if err != nil {
		var at subjectError
		if errors.As(err, &at) {
			return err
		}
		return withSubject(subject, err)
	}
	if c.recursive {
		c.say("%s: %d copied", subject, c.files)
	}
	return nil
}

// download copies from a volume.
func (c *copying) download(ctx context.Context, from remotePath, to string) (err error) {
	if c.volume, err = c.session.volumeOf(ctx, from.name); err != nil {
		return err
	}
	is, err := c.session.File(ctx, c.volume, from.path)
	switch {
	case err != nil:
		return withSubject(from.String(), err)
	case is.Type == "directory" && !c.recursive:
		return withSubject(from.String(), errNeedsRecursive)
	case to == standard:
		f, err := c.session.ReadFile(ctx, c.volume, from.path)
		return withSubject(from.String(), copyTo(c.Streams.Out, f, err))
	}
	if info, err := os.Stat(to); err == nil && info.IsDir() || strings.HasSuffix(to, string(filepath.Separator)) {
		to = filepath.Join(to, from.base())
	}
	if is.Type != "directory" {
		// The directory is opened first, so that no name in it leads elsewhere.
		root, err := os.OpenRoot(filepath.Dir(to))
		if err != nil {
			return coded{err, ExitNotFound}
		}
		defer func() { _ = root.Close() }() // it was only read
		return c.done(to, c.downloadFile(ctx, from, root, filepath.Base(to), is.Mode))
	}
	if err := os.Mkdir(to, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // as above
	return c.done(to, c.downloadTree(ctx, from, root, "."))
}

// downloadTree copies what is in a directory into one of this machine. Names are a program's in the volume, and
// lead nowhere else.
func (c *copying) downloadTree(ctx context.Context, from remotePath, root *os.Root, to string) error {
	list, err := c.session.Files(ctx, c.volume, from.path)
	if err != nil {
		return withSubject(from.String(), err)
	}
	for _, f := range list.Files {
		at, local := from.join(f.Name), filepath.Join(to, f.Name)
		switch {
		case f.InvalidName || f.Name != filepath.Base(f.Name) || !filepath.IsLocal(f.Name):
			c.note("%s: left out: its name is no name of a file here", at)
		case f.Type == "directory":
			if err := root.Mkdir(local, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			if err := c.downloadTree(ctx, at, root, local); err != nil {
				return err
			}
		case f.Type == "file":
			if err := c.downloadFile(ctx, at, root, local, f.Mode); err != nil {
				return err
			}
		default:
			c.note("%s: left out: it is neither a file nor a directory", at)
		}
	}
	return nil
}

// downloadFile copies a file beside the one that it replaces, whole or not at all.
func (c *copying) downloadFile(ctx context.Context, from remotePath, root *os.Root, to, mode string) error {
	f, err := c.session.ReadFile(ctx, c.volume, from.path)
	if err != nil {
		return withSubject(from.String(), err)
	}
	defer func() { _ = f.Close() }() // it was only read
	permissions, err := strconv.ParseUint(mode, 8, 32)
	if err != nil {
		permissions = 0o644
	}
	beside := filepath.Join(filepath.Dir(to), ".lightd-"+strconv.Itoa(os.Getpid())+".part")
	_ = root.Remove(beside) // of an earlier process of this number
	into, err := root.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(permissions&0o777))
	if err != nil {
		return err
	}
	n, err := io.Copy(into, f)
	if err == nil && f.Size >= 0 && n != f.Size {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, into.Close()); err == nil {
		err = root.Rename(beside, to)
	}
	if err != nil {
		return errors.Join(withSubject(from.String(), err), root.Remove(beside))
	}
	c.count(n)
	return nil
}
