package files

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// Report is told what an operation has done: entries, and bytes of files. It may be nil.
type Report func(entries, bytes int64)

func (r Report) add(entries, bytes int64) {
	if r != nil {
		r(entries, bytes)
	}
}

// Staging is a tree that is not whole yet. Its paths are slash-separated and relative; the empty one is its top,
// which is nothing until it is made. Nothing of it is outside of its own directory.
type Staging struct {
	tree    *Tree
	scratch *scratch
	at      place
	root    *os.Root
	owner   Owner
	meter   Meter
	report  Report
}

const (
	// stagingTop is the name of a staging's top in its directory.
	stagingTop = "x"
	// entryCost is about what an entry takes of the disk beside the bytes of a file.
	entryCost = 4096
)

// Stage begins a tree whose top is to be at a path. The caller must Close it.
func (t *Tree) Stage(to Path, report Report) (*Staging, error) {
	s := &Staging{tree: t, report: report, meter: Meter{Tree: t}}
	s.meter.Wrote = func(n int64) { report.add(0, n) }
	in, err := t.directory(to.Dir())
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if s.owner, err = t.ownerIn(in); err != nil {
		return nil, wrap("write", to, err)
	}
	if s.scratch, err = t.scratch(); err != nil {
		return nil, wrap("write", to, err)
	}
	dir, at, err := s.scratch.newDirectory()
	if err == nil {
		s.at = at
		err = dir.Close()
	}
	if err == nil {
		s.root, err = t.root.OpenRoot(path.Join(Hidden, at.name))
	}
	if err != nil {
		s.scratch.close()
		return nil, wrap("write", to, err)
	}
	return s, nil
}

// Close removes what has not got its place, in the background.
func (s *Staging) Close() {
	_ = s.root.Close()
	if err := unix.Unlinkat(int(s.at.dir.Fd()), s.at.name, unix.AT_REMOVEDIR); err != nil {
		_ = s.tree.discard(context.Background(), s.at) // else the next start clears it
	}
	s.scratch.close()
}

func staged(name string) string { return path.Join(stagingTop, name) }

// MakeDirectory makes a directory; one that is there is no error.
func (s *Staging) MakeDirectory(name string, mode uint32) error {
	at := staged(name)
	err := s.root.Mkdir(at, 0o700)
	if errors.Is(err, os.ErrExist) {
		info, err := s.root.Lstat(at)
		if err == nil && !info.IsDir() {
			err = ErrNotDirectory
		}
		return err
	}
	if err != nil {
		return err
	}
	if err := s.meter.Take(context.Background(), entryCost); err != nil {
		return err
	}
	s.report.add(1, 0)
	dir, err := s.root.OpenFile(at, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	return give(dir, s.owner, mode|0o700)
}

// MakeDirectories makes those above a name.
func (s *Staging) MakeDirectories(name string) error {
	above := path.Dir(name)
	if above == "." || above == "/" || name == "" {
		return nil
	}
	if info, err := s.root.Lstat(staged(above)); err == nil && info.IsDir() {
		return nil
	}
	if err := s.MakeDirectories(above); err != nil {
		return err
	}
	return s.MakeDirectory(above, newDirectoryMode)
}

// CheckRoom returns a NoRoomError unless there is room for so many bytes more.
func (s *Staging) CheckRoom(bytes int64) error { return s.tree.CheckRoom(bytes) }

// WriteFile makes a file from what from has. A file of that name is replaced.
func (s *Staging) WriteFile(ctx context.Context, name string, from io.Reader, mode uint32, modified time.Time) (written int64, err error) {
	at := staged(name)
	f, err := s.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, os.ErrExist) {
		if err = s.removeFile(at); err == nil {
			f, err = s.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NONBLOCK, 0o600)
		}
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := s.meter.Take(ctx, entryCost); err != nil {
		return 0, err
	}
	if written, err = s.meter.Copy(ctx, f, from); err != nil {
		return written, err
	}
	if err := give(f, s.owner, mode); err != nil {
		return written, err
	}
	s.report.add(1, 0)
	stamp := unix.NsecToTimeval(modified.UnixNano())
	return written, unix.Futimes(int(f.Fd()), []unix.Timeval{stamp, stamp})
}

// removeFile removes what is no directory.
func (s *Staging) removeFile(at string) error {
	info, err := s.root.Lstat(at)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return ErrIsDirectory
	}
	return s.root.Remove(at)
}

// Symlink makes a link, whose target nobody follows here.
func (s *Staging) Symlink(target, name string) error {
	at := staged(name)
	err := s.root.Symlink(target, at)
	if errors.Is(err, os.ErrExist) {
		if err = s.removeFile(at); err == nil {
			err = s.root.Symlink(target, at)
		}
	}
	if err == nil && os.Geteuid() == 0 {
		err = s.root.Lchown(at, s.owner.UID, s.owner.GID)
	}
	s.report.add(1, 0)
	return err
}

// Link gives a regular file of the staging another name.
func (s *Staging) Link(old, name string) error {
	info, err := s.root.Lstat(staged(old))
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotFile
	}
	if err != nil {
		return err
	}
	err = s.root.Link(staged(old), staged(name))
	if errors.Is(err, os.ErrExist) {
		if err = s.removeFile(staged(name)); err == nil {
			err = s.root.Link(staged(old), staged(name))
		}
	}
	s.report.add(1, 0)
	return err
}

// Place gives the staging its path, where nothing may be.
func (s *Staging) Place(to Path) error {
	if err := unix.Syncfs(int(s.tree.top.Fd())); err != nil {
		return wrap("write", to, err)
	}
	from, err := s.open()
	if err != nil {
		return wrap("write", to, err)
	}
	defer from.Close()
	at, err := s.tree.place(to)
	if err != nil {
		return err
	}
	defer at.close()
	if err := rename(place{from, stagingTop}, at, false); err != nil {
		return wrap("write", to, err)
	}
	return at.dir.Sync()
}

// open opens the directory that the top of the staging is in.
func (s *Staging) open() (*os.File, error) { return openDir(s.at.dir, s.at.name) }

// Merge moves what is in the staging, whose top is a directory, into a directory that is there. Files are
// replaced; a file in the place of a directory, or the other way round, is ErrExists, and nothing is moved.
func (s *Staging) Merge(to Path) error {
	if err := unix.Syncfs(int(s.tree.top.Fd())); err != nil {
		return wrap("write", to, err)
	}
	for _, move := range []bool{false, true} {
		parent, err := s.open()
		if err != nil {
			return wrap("write", to, err)
		}
		from, err := openDir(parent, stagingTop)
		_ = parent.Close() // it was only read
		if err != nil {
			return wrap("write", to, err)
		}
		dir, err := s.tree.directory(to)
		if err == nil {
			err = merge(from, dir, move, 0)
			_ = dir.Close() // as above
		}
		_ = from.Close() // as above
		if err != nil {
			return wrap("write into", to, err)
		}
	}
	return wrap("write into", to, unix.Syncfs(int(s.tree.top.Fd())))
}

// merge moves the entries of a directory into another one, or only looks if that is possible.
func merge(from, to *os.File, move bool, level int) error {
	if level > maxLevels {
		return ErrTooDeep
	}
	names, err := from.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := mergeEntry(place{from, name}, place{to, name}, move, level); err != nil {
			return err
		}
	}
	return nil
}

func mergeEntry(from, to place, move bool, level int) error {
	is, err := from.lstat()
	if err != nil {
		return err
	}
	was, err := to.lstat()
	switch {
	case errors.Is(err, unix.ENOENT) && !move:
		return nil
	case errors.Is(err, unix.ENOENT):
		return rename(from, to, true)
	case err != nil:
		return err
	case typeOf(is.Mode) == Directory && typeOf(was.Mode) == Directory:
		a, err := openDir(from.dir, from.name)
		if err != nil {
			return err
		}
		defer a.Close()
		b, err := openDir(to.dir, to.name)
		if err != nil {
			return err
		}
		defer b.Close()
		return merge(a, b, move, level+1)
	case typeOf(is.Mode) == Directory || typeOf(was.Mode) == Directory:
		return unix.EEXIST
	case move:
		return rename(from, to, true)
	}
	return nil
}
