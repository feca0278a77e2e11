package files

import (
	"context"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// MakeDirectory makes a directory; with parents those above it too, and one that is there is no error.
// made reports that it is new.
func (t *Tree) MakeDirectory(p Path, parents bool) (made bool, err error) {
	if p == Top {
		return false, wrap("make directory", p, ErrExists)
	}
	if !parents {
		return true, t.makeDirectory(p)
	}
	names := strings.Split(string(p), "/")
	for i := range names {
		if made, err = t.ensureDirectory(Path(strings.Join(names[:i+1], "/"))); err != nil {
			return false, err
		}
	}
	return made, nil
}

// ensureDirectory makes a directory unless it is there, or a link to one is.
func (t *Tree) ensureDirectory(p Path) (made bool, err error) {
	err = t.makeDirectory(p)
	if !errors.Is(err, ErrExists) {
		return err == nil, err
	}
	dir, err := t.directory(p)
	if err != nil {
		return false, err
	}
	return false, dir.Close()
}

func (t *Tree) makeDirectory(p Path) error {
	at, err := t.place(p)
	if err != nil {
		return err
	}
	defer at.close()
	if _, err := at.lstat(); err == nil {
		return wrap("make directory", p, ErrExists)
	}
	s, err := t.scratch()
	if err != nil {
		return wrap("make directory", p, err)
	}
	defer s.close()
	owner, err := t.ownerIn(at.dir)
	if err != nil {
		return wrap("make directory", p, err)
	}
	dir, temporary, err := s.newDirectory()
	if err != nil {
		return wrap("make directory", p, err)
	}
	defer dir.Close()
	if err = give(dir, owner, newDirectoryMode); err == nil {
		err = rename(temporary, at, false)
	}
	if err != nil {
		_ = unix.Unlinkat(int(temporary.dir.Fd()), temporary.name, unix.AT_REMOVEDIR)
		return wrap("make directory", p, err)
	}
	return wrap("make directory", p, at.dir.Sync())
}

// Rename gives an entry another path. What is there is ErrExists, unless replace is true and it is no
// directory.
func (t *Tree) Rename(from, to Path, replace bool) error {
	switch {
	case from == Top || to == Top:
		return wrap("rename", from, ErrTop)
	case to != from && to.Within(from):
		return wrap("rename", from, ErrInside)
	}
	a, err := t.place(from)
	if err != nil {
		return err
	}
	defer a.close()
	b, err := t.place(to)
	if err != nil {
		return err
	}
	defer b.close()
	lock := t.commit()
	lock.Lock()
	defer lock.Unlock()
	if st, err := b.lstat(); err == nil && typeOf(st.Mode) == Directory {
		return wrap("rename to", to, ErrExists)
	}
	if err := rename(a, b, replace); err != nil {
		return wrap("rename", from, err)
	}
	return wrap("rename", from, errors.Join(b.dir.Sync(), a.dir.Sync()))
}

// Chmod sets the permissions of a file or a directory; of a link it is ErrNotFile.
func (t *Tree) Chmod(p Path, mode uint32) error {
	if p == Top {
		return wrap("change mode of", p, ErrTop)
	}
	at, err := t.place(p)
	if err != nil {
		return err
	}
	defer at.close()
	st, err := at.lstat()
	if err != nil {
		return wrap("change mode of", p, err)
	}
	f, err := openAs(typeOf(st.Mode), at)
	if err != nil {
		return wrap("change mode of", p, err)
	}
	defer f.Close()
	return wrap("change mode of", p, errors.Join(unix.Fchmod(int(f.Fd()), mode&0o777), f.Sync()))
}

// openAs opens a file or a directory that an entry was seen to be.
func openAs(kind Type, at place) (*os.File, error) {
	switch kind {
	case Directory:
		return openDir(at.dir, at.name)
	case File:
		f, _, err := openFile(at.dir, at.name)
		return f, err
	}
	return nil, ErrNotFile
}

// Delete removes an entry, whatever it is; a directory with all that is in it in the background. What is not
// there is ErrNotFound.
func (t *Tree) Delete(ctx context.Context, p Path) error {
	if p == Top {
		return wrap("delete", p, ErrTop)
	}
	at, err := t.place(p)
	if err != nil {
		return err
	}
	defer at.close()
	if err := t.discard(ctx, at); err != nil {
		return wrap("delete", p, err)
	}
	return wrap("delete", p, at.dir.Sync())
}
