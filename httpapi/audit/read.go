package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const (
	// pollEvery is how often a file is compared with what was read of it.
	pollEvery = 250 * time.Millisecond
	// maxLine bounds the memory for a line; an apply of the most containers has less.
	maxLine = 4 << 20
)

// Entry is a line as it was read.
type Entry struct {
	Line
	// Raw is the line in the file, without its line break.
	Raw []byte
	// Err is set where Raw is no line of the audit.
	Err error
}

// Read hands all lines of the files in a data directory to fn, the oldest first, and with follow those that
// are written from then on, until ctx ends or fn returns an error.
func Read(ctx context.Context, dataDir string, follow bool, fn func(Entry) error) error {
	parent, err := os.OpenRoot(dataDir)
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	defer parent.Close()
	root, err := openExisting(parent)
	if err != nil {
		return err
	}
	defer root.Close()
	r := &reader{root: root, fn: fn}
	defer r.close()
	for {
		moved, err := r.catchUp(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil || !follow && !moved:
			return errors.Join(err, r.finish())
		case moved:
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollEvery):
		}
	}
}

// reader reads the files one after the other.
type reader struct {
	root *os.Root
	fn   func(Entry) error

	f    *os.File // nil before the first
	in   *bufio.Reader
	rest []byte // of a line that is not complete
	long bool   // rest is too long and was dropped
}

// catchUp reads what there is of the file, and opens the one after it; moved is false where there is none.
func (r *reader) catchUp(ctx context.Context) (moved bool, err error) {
	var next *os.File
	if r.f != nil {
		// Found before the rest is read: a file that has another one after it is not written any more.
		if next, err = r.after(); err != nil {
			return false, err
		}
		if err := r.lines(ctx); err != nil {
			return false, errors.Join(err, closeIf(next))
		}
	} else if next, err = r.first(); err != nil {
		return false, err
	}
	if next == nil {
		return false, nil
	}
	err = r.finish()
	r.close()
	r.f, r.in = next, bufio.NewReader(next)
	return true, err
}

func closeIf(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

// first opens the oldest file; nil where there is none.
func (r *reader) first() (*os.File, error) {
	names, err := rotated(r.root)
	if err != nil {
		return nil, err
	}
	for _, name := range append(names, current) {
		if f, err := r.open(name); f != nil || err != nil {
			return f, err
		}
	}
	return nil, nil
}

// after opens the file after the one that is read; nil where there is none. Where that one is removed, it is
// the oldest that is left.
func (r *reader) after() (*os.File, error) {
	for range 10 {
		own, err := r.f.Stat()
		if err != nil {
			return nil, fmt.Errorf("read audit file: %w", err)
		}
		if stat, ok := own.Sys().(*syscall.Stat_t); ok && stat.Nlink == 0 {
			return r.first()
		}
		names, err := rotated(r.root)
		if err != nil {
			return nil, err
		}
		names = append(names, current)
		for i, name := range names {
			info, err := r.root.Lstat(name)
			if err != nil || !os.SameFile(own, info) {
				continue
			}
			if i+1 == len(names) {
				return nil, nil
			}
			return r.open(names[i+1])
		}
		time.Sleep(time.Millisecond) // a rotation came between the list and the comparison
	}
	return r.open(current) // it was moved away by somebody
}

// open opens a file; nil where it is not there. It never waits for a peer, nor follows a link.
func (r *reader) open(name string) (*os.File, error) {
	info, err := r.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read audit file: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read audit file: %s is not a regular file", name)
	}
	f, err := r.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read audit file: %w", err)
	}
	return f, nil
}

// lines hands over the lines that are complete.
func (r *reader) lines(ctx context.Context) error {
	for ctx.Err() == nil {
		part, err := r.in.ReadSlice('\n')
		if r.long = r.long || len(r.rest)+len(part) > maxLine; !r.long {
			r.rest = append(r.rest, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read audit file: %w", err)
		}
		if err := r.finish(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// finish hands over what was read of a line, if there is any.
func (r *reader) finish() error {
	raw := bytes.TrimSuffix(r.rest, []byte("\n"))
	long := r.long
	r.rest, r.long = nil, false
	if len(raw) == 0 && !long {
		return nil
	}
	e := Entry{Raw: raw}
	if e.Err = json.Unmarshal(raw, &e.Line); long {
		e.Err = fmt.Errorf("a line of more than %d MiB", maxLine>>20)
	}
	return r.fn(e)
}

func (r *reader) close() {
	if r.f != nil {
		_ = r.f.Close() // it was only read
		r.f = nil
	}
}
