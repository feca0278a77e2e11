package files

import (
	"context"
	"errors"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

const (
	// maxLevels bounds how deep a tree is walked through: each level has a descriptor.
	maxLevels = 200
	// MaxEntries bounds what one walk comes to: a program can move what was visited ahead of it for ever.
	MaxEntries = 5_000_000
)

// Visited is an entry that a walk has come to.
type Visited struct {
	Entry
	// Path is relative to where the walk began; empty for that entry itself.
	Path string

	place
}

// Open opens a regular file as it was seen: one that has taken its place is ErrBusy.
func (v Visited) Open() (*os.File, error) {
	f, st, err := openFile(v.dir, v.name)
	if err != nil {
		return nil, err
	}
	if st.Ino != v.inode {
		return nil, errors.Join(ErrBusy, f.Close())
	}
	return f, nil
}

// Walk calls each for the entry of a path and for all that is below it, a directory before what is in it. It
// follows no link, and passes over what goes away meanwhile. ErrTooDeep and ErrTooMany end it, or an error of each.
func (t *Tree) Walk(ctx context.Context, p Path, each func(Visited) error) error {
	count := 0
	visit := func(v Visited) error {
		if count++; count > MaxEntries {
			return ErrTooMany
		}
		return each(v)
	}
	if p == Top {
		var st unix.Stat_t
		if err := unix.Fstat(int(t.top.Fd()), &st); err != nil {
			return wrap("walk", p, err)
		}
		v := Visited{Entry: entryOf("", &st)}
		if err := visit(v); err != nil {
			return err
		}
		dir, err := openDir(t.top, ".")
		if err != nil {
			return wrap("walk", p, err)
		}
		return t.walkIn(ctx, dir, "", 1, visit)
	}
	at, err := t.place(p)
	if err != nil {
		return err
	}
	defer at.close()
	st, err := at.lstat()
	if err != nil {
		return wrap("walk", p, err)
	}
	return t.walkTo(ctx, at, &st, "", 0, visit)
}

// walkTo visits an entry, and what is below it.
func (t *Tree) walkTo(ctx context.Context, at place, st *unix.Stat_t, name string, level int, visit func(Visited) error) error {
	v := Visited{Entry: at.describe(entryOf(at.name, st), false), Path: name, place: at}
	if err := visit(v); err != nil {
		return err
	}
	if v.Type != Directory {
		return nil
	}
	if level++; level > maxLevels || len(name) > maxPath {
		return ErrTooDeep
	}
	dir, err := openDir(at.dir, at.name)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return nil // it has gone, or something else is there
	case err != nil:
		return err
	}
	return t.walkIn(ctx, dir, name, level, visit)
}

// walkIn visits what is in a directory, and closes it.
func (t *Tree) walkIn(ctx context.Context, dir *os.File, name string, level int, visit func(Visited) error) error {
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(nameBatch)
		for _, one := range names {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			at := place{dir, one}
			st, err := at.lstat()
			if err != nil || name == "" && one == Hidden {
				continue
			}
			if err := t.walkTo(ctx, at, &st, path.Join(name, one), level, visit); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Weigh returns how many entries a walk comes to, and the bytes of the files among them.
func (t *Tree) Weigh(ctx context.Context, p Path) (entries, bytes int64, err error) {
	err = t.Walk(ctx, p, func(v Visited) error {
		entries++
		if v.Type == File {
			bytes += v.Size
		}
		return nil
	})
	return entries, bytes, err
}
