package store

import (
	"errors"
	"fmt"
	"os"
)

// OpenRoot opens the directory of a volume for what reads and changes the files in it, or returns
// ErrVolumeNotFound. A link in its place is not followed. The caller must close it.
func (v *Volumes) OpenRoot(id string) (*os.Root, error) {
	if _, err := v.Get(id); err != nil {
		return nil, err
	}
	was, err := v.root.Lstat(id)
	if err != nil {
		return nil, fmt.Errorf("open volume %s: %w", id, err)
	}
	if !was.IsDir() {
		return nil, fmt.Errorf("open volume %s: its directory was replaced", id)
	}
	root, err := v.root.OpenRoot(id)
	if err != nil {
		return nil, fmt.Errorf("open volume %s: %w", id, err)
	}
	is, err := root.Lstat(".")
	if err == nil && !os.SameFile(was, is) {
		err = errors.New("its directory was replaced")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open volume %s: %w", id, err), root.Close())
	}
	return root, nil
}

// Discard moves an entry of a directory in a volume away, to be removed in the background. Its error is EXDEV
// where that directory is on another file system than the volumes.
func (v *Volumes) Discard(dir *os.File, name string) error { return v.trash.MoveFrom(dir, name) }
