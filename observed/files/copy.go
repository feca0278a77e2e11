package files

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// Copy copies a file, or a directory with all that is in it, to a path where nothing is. It is there whole, or
// not at all. Links are copied as links; devices, pipes and sockets, and what goes away meanwhile, are passed
// over, and skip is called with their paths.
func (t *Tree) Copy(ctx context.Context, from, to Path, report Report, skip func(path string)) error {
	switch {
	case from == Top, to == Top:
		return wrap("copy", from, ErrTop)
	case to.Within(from):
		return wrap("copy", from, ErrInside)
	}
	if err := t.Free(to); err != nil {
		return err
	}
	s, err := t.Stage(to, report)
	if err != nil {
		return err
	}
	defer s.Close()
	made := false
	err = t.Walk(ctx, from, func(v Visited) error {
		done, err := s.copyEntry(ctx, v)
		if err == nil && !done {
			skip(v.Path)
		}
		made = made || done
		return err
	})
	if err != nil {
		return wrap("copy", from, err)
	}
	if !made {
		return wrap("copy", from, ErrNotFile)
	}
	return s.Place(to)
}

// Free returns ErrExists where something is at a path, and ErrNotFound where its directory is not there.
func (t *Tree) Free(p Path) error {
	if p == Top {
		return wrap("write", p, ErrExists)
	}
	at, err := t.place(p)
	if err != nil {
		return err
	}
	defer at.close()
	if _, err := at.lstat(); !errors.Is(err, unix.ENOENT) {
		if err == nil {
			err = unix.EEXIST
		}
		return wrap("write", p, err)
	}
	return nil
}

// copyEntry copies an entry; done is false for what is passed over.
func (s *Staging) copyEntry(ctx context.Context, v Visited) (done bool, err error) {
	switch v.Type {
	case Directory:
		return true, s.MakeDirectory(v.Path, v.Mode)
	case Symlink:
		return true, s.Symlink(v.Target, v.Path)
	case File:
		f, err := v.Open()
		if Gone(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		defer f.Close()
		// One that grows as it is read has no end.
		_, err = s.WriteFile(ctx, v.Path, io.LimitReader(f, v.Size), v.Mode, v.Modified)
		return true, err
	}
	return false, nil
}

// Gone reports whether an error of Visited.Open says that an entry is not any more what it was, or is held by a
// program: whoever reads a tree that is in use passes over it.
func Gone(err error) bool {
	for _, one := range []error{ErrBusy, ErrNotFile, ErrIsDirectory, unix.ENOENT, unix.ELOOP, unix.EAGAIN, unix.ENXIO} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}
