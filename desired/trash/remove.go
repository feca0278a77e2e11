package trash

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// batch is how many entries of a directory are read at once, and patience how often one is read
// without anything of it being removed.
const (
	batch    = 256
	patience = 10
)

// RemoveAll removes what name is in root, as root.RemoveAll does, with few descriptors and in memory
// that is bounded by the number of directories. What is not there is no error. Directories in it are
// moved to the top of root for the time of their removal.
func RemoveAll(ctx context.Context, root *os.Root, name string) error {
	r := remover{root: root, top: name, prefix: ".removing-" + rand.Text() + "-"}
	for stack := []int{0}; len(stack) > 0; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at := stack[len(stack)-1]
		first := r.moved
		removed, err := r.visit(r.name(at))
		if err != nil {
			return err
		}
		if removed {
			stack = stack[:len(stack)-1]
		}
		for n := first + 1; n <= r.moved; n++ {
			stack = append(stack, n)
		}
	}
	return nil
}

// remover removes one tree. The directories that it has moved to the top have numbers.
type remover struct {
	root        *os.Root
	top, prefix string
	moved, idle int
}

func (r *remover) name(n int) string {
	if n == 0 {
		return r.top
	}
	return fmt.Sprint(r.prefix, n)
}

// visit removes the files of one batch of dir and moves the directories of it to the top. It reports
// whether dir is gone.
func (r *remover) visit(dir string) (removed bool, err error) {
	info, err := r.root.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return true, present(r.root.Remove(dir))
	}
	sub, err := r.open(dir, info)
	if err != nil {
		if r.idle++; r.idle <= patience {
			err = ignore(err, errReplaced) // what has taken its place is removed next
		}
		return false, err
	}
	defer sub.Close()
	list, err := sub.Open(".")
	if err != nil {
		return false, err
	}
	entries, err := list.ReadDir(batch)
	if err = errors.Join(ignore(err, io.EOF), list.Close()); err != nil {
		return false, err
	}
	for _, e := range entries {
		if err = r.removeEntry(sub, dir, e); err != nil {
			break // of others there may be less to say
		}
	}
	if len(entries) > 0 && err == nil {
		r.idle = 0
		return false, nil
	}
	if err == nil {
		err = present(r.root.Remove(dir))
	}
	if err == nil {
		r.idle = 0
		return true, nil
	}
	// A program may still write to it.
	if r.idle++; r.idle > patience {
		return false, err
	}
	return false, nil
}

var errReplaced = errors.New("the directory was replaced")

// open opens a directory that was there: a link that has taken its place since is followed in root, and what it
// leads to is refused.
func (r *remover) open(dir string, was fs.FileInfo) (*os.Root, error) {
	sub, err := r.root.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	is, err := sub.Lstat(".")
	if err == nil && !os.SameFile(was, is) {
		err = errReplaced
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", dir, err), sub.Close())
	}
	return sub, nil
}

// removeEntry removes a file of a directory, and moves a directory to the top: whatever has taken its
// place by then comes with the name.
func (r *remover) removeEntry(sub *os.Root, dir string, e fs.DirEntry) error {
	if !e.IsDir() {
		return present(sub.Remove(e.Name()))
	}
	r.moved++
	err := r.root.Rename(dir+"/"+e.Name(), r.name(r.moved))
	if err != nil {
		r.moved--
	}
	return present(err)
}

// present drops the error of what is gone already.
func present(err error) error { return ignore(err, fs.ErrNotExist) }

func ignore(err, which error) error {
	if errors.Is(err, which) {
		return nil
	}
	return err
}
