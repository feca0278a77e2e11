package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	// unfinishedName is the directory in a data directory that a restore works in. While it is there, all that is
	// beside it was put there by that restore.
	unfinishedName = ".restoring"
	// lostFound is in the top directory of a file system, where it is mounted for the data directory alone.
	lostFound = "lost+found"
)

// ErrUnfinished is what a data directory is that a restore has begun to fill.
var ErrUnfinished = errors.New("a restore to it has not come to its end: wait for it, or repeat \"lightd restore\"")

// CheckFinished returns an error that has ErrUnfinished in its chain where a restore to dir is under way, or was killed.
func CheckFinished(dir string) error {
	switch _, err := os.Lstat(filepath.Join(dir, unfinishedName)); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("data directory %s: %w", dir, ErrUnfinished)
}

// place is a data directory that is being filled.
type place struct {
	dir string
	// made is where the files are made, locked by whoever holds lock.
	made string
	lock *os.File
	// created is true where the directory was missing.
	created bool
}

// openPlace makes what a restore to dir works in. dir must be missing or empty, or have nothing but what a restore has
// left that was killed, which is removed.
func openPlace(dir string) (_ *place, err error) {
	p := &place{dir: dir, made: filepath.Join(dir, unfinishedName)}
	if err := os.Mkdir(dir, 0o700); err == nil {
		p.created = true
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == lostFound })
	killed := slices.ContainsFunc(others, func(e os.DirEntry) bool { return e.Name() == unfinishedName })
	if len(others) > 0 && !killed {
		return nil, errors.New("it is not empty; move it away, or name another directory with --data-dir")
	}
	if err := os.Mkdir(p.made, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if p.lock, err = lockUnfinished(p.made); err != nil {
		return nil, err
	}
	if err := errors.Join(removeIn(dir, unfinishedName, lostFound), removeIn(p.made)); err != nil {
		return nil, errors.Join(err, p.lock.Close())
	}
	return p, nil
}

// lockUnfinished locks a directory that is no link, and fails where another process has it locked.
func lockUnfinished(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("another restore to it is under way: lock %s: %w", path, err)
	}
	return f, nil
}

// removeIn removes all that is in a directory but what is to stay.
func removeIn(dir string, stay ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.Contains(stay, e.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// fill moves what was made to where it belongs, once it is on disk, and the database last. The directory itself stays,
// so that it may be where a file system is mounted.
func (p *place) fill() error {
	if err := p.sync(p.made); err != nil {
		return err
	}
	entries, err := os.ReadDir(p.made)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); name != lostFound && name != DatabaseDir {
			if err := os.Rename(filepath.Join(p.made, name), filepath.Join(p.dir, name)); err != nil {
				return err
			}
		}
	}
	if err := os.Rename(filepath.Join(p.made, DatabaseDir), filepath.Join(p.dir, DatabaseDir)); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(p.dir, 0o700), p.sync(p.dir), os.RemoveAll(p.made)); err != nil {
		return err
	}
	if p.created {
		return p.sync(filepath.Dir(p.dir))
	}
	return p.sync(p.dir)
}

// sync writes the file system of a directory to disk.
func (p *place) sync(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(opened.Fd())), opened.Close())
}

// close ends the work on the directory, and leaves it as it was before where that has failed.
func (p *place) close(failed bool) error {
	var err error
	if failed {
		err = removeIn(p.dir, lostFound)
	}
	if failed && p.created {
		err = errors.Join(err, os.Remove(p.dir))
	}
	return errors.Join(err, p.lock.Close())
}
