package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// The modes of what is new.
const (
	newFileMode      = 0o644
	newDirectoryMode = 0o755
)

// Write says how a file is written.
type Write struct {
	// Mode, unless nil, are the permissions; else those of the file that is replaced, or 0644.
	Mode *uint32
	// Size is how many bytes come; -1 where that is not known.
	Size int64
	// New is true for a file that must not be there yet: ErrExists.
	New bool
	// Allows, unless nil, reports whether the file that is there may be replaced; nil stands for none.
	Allows func(present *Entry) bool
}

// Write writes a file from from, whole or not at all: the error of from ends it, and leaves what was there.
// created reports that there was none.
func (t *Tree) Write(ctx context.Context, p Path, from io.Reader, w Write) (written Entry, created bool, err error) {
	before, _, err := t.replaceable(p, w)
	if err != nil {
		return Entry{}, false, err
	}
	before.close() // it is looked up again when the bytes have come
	if err := t.CheckRoom(max(w.Size, 1)); err != nil {
		return Entry{}, false, wrap("write", p, err)
	}
	s, err := t.scratch()
	if err != nil {
		return Entry{}, false, wrap("write", p, err)
	}
	defer s.close()
	f, temporary, err := s.newFile()
	if err != nil {
		return Entry{}, false, wrap("write", p, err)
	}
	defer f.Close()
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(int(temporary.dir.Fd()), temporary.name, 0) // it may have its place already
		}
	}()
	meter := Meter{Tree: t}
	n, err := meter.Copy(ctx, f, from)
	if err == nil && w.Size >= 0 && n != w.Size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = f.Sync() // outside of the lock: it may take long
	}
	if err != nil {
		return Entry{}, false, wrap("write", p, err)
	}
	return t.putInPlace(p, f, temporary, w)
}

// replaceable returns the place of a file that is to be written, and what is there; nil for nothing. The caller
// must close the place where there is no error.
func (t *Tree) replaceable(p Path, w Write) (at place, present *Entry, err error) {
	if p == Top {
		return place{}, nil, wrap("write", p, ErrIsDirectory)
	}
	if at, err = t.place(p); err != nil {
		return place{}, nil, err
	}
	defer func() {
		if err != nil {
			at.close()
		}
	}()
	st, err := at.lstat()
	switch {
	case errors.Is(err, unix.ENOENT):
	case err != nil:
		return place{}, nil, wrap("write", p, err)
	default:
		e := entryOf(p.Base(), &st)
		present = &e
	}
	switch {
	case present != nil && present.Type == Directory:
		return place{}, nil, wrap("write", p, ErrIsDirectory)
	case present != nil && present.Type != File:
		return place{}, nil, wrap("write", p, ErrNotFile)
	case w.New && present != nil:
		return place{}, nil, wrap("write", p, ErrExists)
	case w.Allows != nil && !w.Allows(present):
		return place{}, nil, wrap("write", p, ErrStale)
	}
	return at, present, nil
}

// putInPlace gives a complete file its owner and mode, and the name of p.
func (t *Tree) putInPlace(p Path, f *os.File, temporary place, w Write) (Entry, bool, error) {
	lock := t.commit()
	lock.Lock()
	defer lock.Unlock()
	at, present, err := t.replaceable(p, w)
	if err != nil {
		return Entry{}, false, err
	}
	defer at.close()
	owner, mode := Owner{}, uint32(newFileMode)
	if present != nil {
		owner, mode = Owner{int(present.UID), int(present.GID)}, present.Mode
	} else if owner, err = t.ownerIn(at.dir); err != nil {
		return Entry{}, false, wrap("write", p, err)
	}
	if w.Mode != nil {
		mode = *w.Mode
	}
	if err := errors.Join(give(f, owner, mode), f.Sync()); err != nil {
		return Entry{}, false, wrap("write", p, err)
	}
	if err := rename(temporary, at, present != nil); err != nil {
		return Entry{}, false, wrap("write", p, err)
	}
	var st unix.Stat_t
	if err := errors.Join(at.dir.Sync(), unix.Fstat(int(f.Fd()), &st)); err != nil {
		return Entry{}, false, fmt.Errorf("write %q: %w", p, err)
	}
	return entryOf(p.Base(), &st), present == nil, nil
}
