package files

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// nameBatch is how many names are read at once, and maxNames how many of one directory.
	nameBatch = 1024
	maxNames  = 10_000_000
	// sniffWithin is for how long the files of a page are opened to see what is in them.
	sniffWithin = time.Second
)

// errNames ends the list of a directory that has no end.
var errNames = errors.New("the directory has too many entries")

// Stat describes the entry of a path. A link that stays in the volume is followed; one that leads nowhere,
// or out of it, is described itself.
func (t *Tree) Stat(p Path) (Entry, error) {
	if p == Top {
		var st unix.Stat_t
		err := unix.Fstat(int(t.top.Fd()), &st)
		return entryOf("", &st), wrap("look at", p, err)
	}
	at, err := t.place(p)
	if err != nil {
		return Entry{}, err
	}
	defer at.close()
	st, err := at.lstat()
	if err != nil {
		return Entry{}, wrap("look at", p, err)
	}
	e := entryOf(p.Base(), &st)
	if e.Type != Symlink {
		return at.describe(e, true), nil
	}
	f, led, err := t.open(p)
	if err != nil {
		return at.describe(e, true), nil
	}
	defer f.Close()
	followed := entryOf(p.Base(), &led)
	followed.Target = at.describe(e, false).Target
	if followed.Type == File {
		followed.MIME = sniffed(f)
	}
	return followed, nil
}

// open opens the file or directory of a path to read it; links that stay in the volume are followed.
func (t *Tree) open(p Path) (*os.File, unix.Stat_t, error) {
	var st unix.Stat_t
	seen, err := t.root.Stat(string(p))
	if err != nil {
		return nil, st, wrap("open", p, err)
	}
	if !seen.Mode().IsRegular() && !seen.IsDir() {
		return nil, st, wrap("open", p, ErrNotFile)
	}
	f, err := t.root.OpenFile(string(p), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, st, wrap("open", p, err)
	}
	err = unix.Fstat(int(f.Fd()), &st)
	if kind := typeOf(st.Mode); err == nil && kind != File && kind != Directory {
		err = ErrNotFile // it has taken the place of what was looked at
	}
	if err != nil {
		return nil, st, errors.Join(wrap("open", p, err), f.Close())
	}
	return f, st, nil
}

// Open opens a regular file to read it, with its entry. The caller must close it.
func (t *Tree) Open(p Path) (*os.File, Entry, error) {
	f, st, err := t.open(p)
	if err != nil {
		return nil, Entry{}, err
	}
	if typeOf(st.Mode) != File {
		return nil, Entry{}, errors.Join(wrap("open", p, ErrIsDirectory), f.Close())
	}
	return f, entryOf(p.Base(), &st), nil
}

// List returns the entries of a directory whose names come after one, at most limit, sorted by the bytes of
// their names; more is true where others follow.
func (t *Tree) List(ctx context.Context, p Path, after string, limit int) (page []Entry, more bool, err error) {
	dir, err := t.directory(p)
	if err != nil {
		return nil, false, err
	}
	defer dir.Close()
	names, err := firstNames(ctx, dir, func(name string) bool { return name > after && (p != Top || name != Hidden) }, limit+1)
	if err != nil {
		return nil, false, wrap("list", p, err)
	}
	if more = len(names) > limit; more {
		names = names[:limit]
	}
	page = make([]Entry, 0, len(names))
	began := time.Now()
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		at := place{dir, name}
		st, err := at.lstat()
		if err != nil {
			continue // it has gone
		}
		page = append(page, at.describe(entryOf(name, &st), time.Since(began) < sniffWithin))
	}
	return page, more, nil
}

// firstNames returns the first of the names in a directory that are wanted, sorted. It keeps no more than
// twice as many.
func firstNames(ctx context.Context, dir *os.File, wanted func(string) bool, limit int) ([]string, error) {
	var names []string
	last := "" // once there are as many: none behind it is among the first
	for read := 0; ; {
		batch, err := dir.Readdirnames(nameBatch)
		for _, name := range batch {
			if wanted(name) && (last == "" || name < last) {
				names = append(names, name)
			}
		}
		if read += len(batch); read > maxNames {
			return nil, errNames
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if done := err != nil; done || len(names) >= 2*limit {
			slices.Sort(names)
			if names = slices.Compact(names); len(names) >= limit {
				names = names[:limit]
				last = names[limit-1]
			}
			if done && !errors.Is(err, io.EOF) {
				return nil, err
			} else if done {
				return names, nil
			}
		}
	}
}
