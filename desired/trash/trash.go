package trash

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"lightd/desired/subscribe"
)

// Name is that of the trash in the directory that it belongs to.
const Name = ".trash"

// retryAfter is when what could not be removed is tried again.
const retryAfter = 10 * time.Minute

// Trash is what waits to be removed of one directory.
type Trash struct {
	parent, root *os.Root
	log          *slog.Logger
	wake         chan struct{}
	cancel       context.CancelFunc
	worker       sync.WaitGroup
}

// Open makes the trash of the directory parent where it is missing, and removes in the background
// what is in it. The caller must Close it before parent.
func Open(parent *os.Root, log *slog.Logger) (*Trash, error) {
	if err := parent.Mkdir(Name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make trash: %w", err)
	}
	root, err := parent.OpenRoot(Name)
	if err != nil {
		return nil, fmt.Errorf("open trash: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Trash{parent: parent, root: root, log: log, wake: make(chan struct{}, 1), cancel: cancel}
	t.worker.Go(func() { t.run(ctx) })
	return t, nil
}

// Remove moves what name is in parent to the trash of parent, and empties that before it returns.
func Remove(ctx context.Context, parent *os.Root, name string) error {
	if err := parent.Mkdir(Name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make trash: %w", err)
	}
	root, err := parent.OpenRoot(Name)
	if err != nil {
		return fmt.Errorf("open trash: %w", err)
	}
	defer root.Close()
	t := &Trash{parent: parent, root: root}
	return errors.Join(t.Move(name), t.empty(ctx))
}

// Close ends the removals; the next Open continues them.
func (t *Trash) Close() error {
	t.cancel()
	t.worker.Wait()
	return t.root.Close()
}

// Move takes what name is in the directory away, to be removed. What is not there is no error.
func (t *Trash) Move(name string) error {
	err := t.parent.Rename(name, Name+"/"+rand.Text())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t.notify()
	return nil
}

// MoveFrom takes an entry of any directory of the same file system away, to be removed. A link is moved itself.
func (t *Trash) MoveFrom(dir *os.File, name string) error {
	to, err := t.root.Open(".")
	if err != nil {
		return err
	}
	defer to.Close()
	if err := unix.Renameat(int(dir.Fd()), name, int(to.Fd()), rand.Text()); err != nil {
		return err
	}
	t.notify()
	return nil
}

func (t *Trash) notify() {
	subscribe.Wake(t.wake)
}

// run removes what is in the trash whenever there is something, until ctx ends.
func (t *Trash) run(ctx context.Context) {
	for {
		var retry <-chan time.Time
		if err := t.empty(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("trash not emptied; it is tried again", "directory", t.root.Name(), "error", err)
			retry = time.After(retryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		case <-retry:
		}
	}
}

// empty removes all that is in the trash; what cannot be removed holds nothing else up.
func (t *Trash) empty(ctx context.Context) error {
	list, err := t.root.Open(".")
	if err != nil {
		return err
	}
	defer list.Close()
	var errs []error
	for ctx.Err() == nil {
		names, err := list.Readdirnames(batch)
		for _, name := range names {
			if err := RemoveAll(ctx, t.root, name); err != nil {
				errs = append(errs[:min(len(errs), patience)], err)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	return errors.Join(errs...)
}
