package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// unfinishedMark is in the name of a directory that a restore works in, after that of the data directory.
const unfinishedMark = ".restoring-"

// newUnfinished makes the directory that a restore to dir works in, beside it. It is locked as long as release is not
// called, or the process lives.
func newUnfinished(dir string) (made string, release func() error, err error) {
	made, err = os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+unfinishedMark)
	if err != nil {
		return "", nil, err
	}
	locked, err := lockUnfinished(made)
	if err != nil {
		_ = os.Remove(made) // it is empty
		return "", nil, err
	}
	return made, locked.Close, nil
}

// lockUnfinished locks a directory that is no link, and fails where another process has it locked.
func lockUnfinished(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// removeUnfinished removes what restores to dir have left that were killed: it has the token, and the files of servers.
func removeUnfinished(dir string) error {
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), filepath.Base(dir)+unfinishedMark) {
			continue
		}
		path := filepath.Join(filepath.Dir(dir), e.Name())
		locked, err := lockUnfinished(path)
		if err != nil {
			continue // another restore is at it
		}
		err = os.RemoveAll(path)
		_ = locked.Close() // nothing was written
		if err != nil {
			return err
		}
	}
	return nil
}
