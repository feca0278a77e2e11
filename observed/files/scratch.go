package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"lightd/desired/trash"
)

// scratch is the directory Hidden of a volume, open. It is there while somebody uses it.
type scratch struct {
	tree *Tree
	dir  *os.File
}

// scratch opens the directory for what is not whole yet, which it makes where it is missing. A file that is
// there in its place is removed.
func (t *Tree) scratch() (*scratch, error) {
	t.trees.mu.Lock()
	defer t.trees.mu.Unlock()
	for attempt := 0; ; attempt++ {
		err := unix.Mkdirat(int(t.top.Fd()), Hidden, 0o700)
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, err
		}
		dir, err := openDir(t.top, Hidden)
		if err == nil {
			if t.trees.using == nil {
				t.trees.using = map[string]int{}
			}
			t.trees.using[t.volume]++
			return &scratch{t, dir}, nil
		}
		if attempt == 3 {
			return nil, err
		}
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			_ = unix.Unlinkat(int(t.top.Fd()), Hidden, 0) // the next attempt says if it stays
		}
	}
}

// close removes the directory if nobody else uses it.
func (s *scratch) close() {
	t := s.tree.trees
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.using[s.tree.volume]--; t.using[s.tree.volume] == 0 {
		delete(t.using, s.tree.volume)
		_ = unix.Unlinkat(int(s.tree.top.Fd()), Hidden, unix.AT_REMOVEDIR) // a program may have put something there
	}
	_ = s.dir.Close() // it was only read
}

// newPlace is a place in s where nothing is.
func (s *scratch) newPlace() place { return place{s.dir, strings.ToLower(rand.Text())} }

// newFile makes an empty file.
func (s *scratch) newFile() (*os.File, place, error) {
	at := s.newPlace()
	fd, err := unix.Openat(int(at.dir.Fd()), at.name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, place{}, err
	}
	return os.NewFile(uintptr(fd), at.name), at, nil
}

// newDirectory makes an empty directory, and opens it.
func (s *scratch) newDirectory() (*os.File, place, error) {
	at := s.newPlace()
	if err := unix.Mkdirat(int(at.dir.Fd()), at.name, 0o700); err != nil {
		return nil, place{}, err
	}
	dir, err := openDir(at.dir, at.name)
	return dir, at, err
}

// discard removes an entry: a file at once, a directory in the background.
func (t *Tree) discard(ctx context.Context, at place) error {
	err := unix.Unlinkat(int(at.dir.Fd()), at.name, 0)
	if !errors.Is(err, unix.EISDIR) {
		return err
	}
	if err = t.trees.Volumes.Discard(at.dir, at.name); !errors.Is(err, unix.EXDEV) {
		return err
	}
	// The volume is a file system of its own, without a trash.
	s, err := t.scratch()
	if err != nil {
		return err
	}
	defer s.close()
	moved := s.newPlace()
	if err := rename(at, moved, false); err != nil {
		return err
	}
	top, err := t.root.OpenRoot(Hidden)
	if err != nil {
		return err
	}
	defer top.Close()
	return trash.RemoveAll(ctx, top, moved.name)
}

// Clear removes what a daemon that was killed has left in a volume. Nobody may use its tree meanwhile.
func (t *Trees) Clear(ctx context.Context, volume string) error {
	root, err := t.Volumes.OpenRoot(volume)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(Hidden); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	top, err := root.Open(".")
	if err != nil {
		return err
	}
	defer top.Close()
	err = t.Volumes.Discard(top, Hidden)
	if errors.Is(err, unix.EXDEV) {
		err = trash.RemoveAll(ctx, root, Hidden)
	}
	if err != nil {
		return fmt.Errorf("clear volume %s: %w", volume, err)
	}
	return nil
}
