package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// Dir is the directory of the files, in the data directory.
	Dir = "audit"

	current       = "audit.jsonl"
	rotatedPrefix = "audit-"
	rotatedSuffix = ".jsonl"

	// window is what is allocated ahead of what is written.
	window = 1 << 20
)

// Limits bound the files.
type Limits struct {
	// MaxSize is the size of a file in bytes, MaxAge the age of its first line, beyond which another one is
	// begun. MaxFiles is how many are kept.
	MaxSize  int64
	MaxAge   time.Duration
	MaxFiles int
}

// file is the file that lines are appended to, opened when it is first needed. It is used by one goroutine at
// a time.
type file struct {
	dataDir string
	limits  Limits
	now     func() time.Time

	root            *os.Root
	f               *os.File
	size, allocated int64
	began           time.Time
	torn            bool // the last write has left a part of a line
}

// write appends a line. After an error nothing of it is left, or a line break comes before the next one.
func (f *file) write(line []byte) error {
	if err := f.ready(int64(len(line))); err != nil {
		return err
	}
	if f.torn {
		line = slices.Concat([]byte("\n"), line)
	}
	n, err := f.f.Write(line)
	if err != nil {
		f.torn = n > 0 && f.f.Truncate(f.size) != nil
		return fmt.Errorf("write audit line: %w", err)
	}
	f.torn = false
	f.size += int64(n)
	return nil
}

// ready opens the file, or another one after it, before n bytes are written.
func (f *file) ready(n int64) error {
	if f.f != nil && !f.named() {
		f.closeFile() // it was moved or removed by somebody
	}
	if f.f == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	now := f.now()
	if f.size > 0 && (f.size+n > f.limits.MaxSize || now.Sub(f.began) > f.limits.MaxAge) {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	if f.size == 0 {
		f.began = now
	}
	if f.size+n+window/2 > f.allocated {
		const keepSize = 1 // FALLOC_FL_KEEP_SIZE
		if syscall.Fallocate(int(f.f.Fd()), keepSize, 0, f.size+n+window) == nil {
			f.allocated = f.size + n + window
		}
	}
	return nil
}

// named reports whether the file that is open is the one by its name.
func (f *file) named() bool {
	opened, err := f.f.Stat()
	if err != nil {
		return false
	}
	info, err := f.root.Lstat(current)
	return err == nil && os.SameFile(opened, info)
}

// open opens the file, which is made where it is missing. A link, or what is no file, is refused.
func (f *file) open() (err error) {
	if f.root == nil {
		if f.root, err = openDir(f.dataDir); err != nil {
			return err
		}
	}
	if info, err := f.root.Lstat(current); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("open audit file: %s is not a regular file", current)
	}
	f.f, err = f.root.OpenFile(current, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return fmt.Errorf("open audit file: %w", err)
	}
	info, err := f.f.Stat()
	if err == nil && (!info.Mode().IsRegular() || !f.named()) {
		err = fmt.Errorf("%s is not a regular file", current)
	}
	if err = errors.Join(err, f.f.Chmod(0o600)); err != nil {
		f.closeFile()
		return fmt.Errorf("open audit file: %w", err)
	}
	f.size, f.allocated, f.began, f.torn = info.Size(), 0, info.ModTime(), false
	if f.size > 0 {
		f.inspect()
	}
	return nil
}

// inspect finds when the file begins, and whether its last line was cut off by a crash of the machine.
func (f *file) inspect() {
	last := make([]byte, 1)
	if _, err := f.f.ReadAt(last, f.size-1); err == nil {
		f.torn = last[0] != '\n'
	}
	head := make([]byte, 4<<10)
	n, _ := f.f.ReadAt(head, 0) // what there is
	_, after, found := bytes.Cut(head[:n], []byte(`"time":"`))
	text, _, closed := bytes.Cut(after, []byte(`"`))
	if at, err := time.Parse(time.RFC3339, string(text)); found && closed && err == nil {
		f.began = at
	}
}

// rotate renames the file, removes those that are too many, and opens another one.
func (f *file) rotate() error {
	names, err := rotated(f.root)
	if err != nil {
		return err
	}
	next := uint64(1)
	if len(names) > 0 {
		next = numberOf(names[len(names)-1]) + 1
	}
	name := fmt.Sprintf("%s%08d%s", rotatedPrefix, next, rotatedSuffix)
	if _, err := f.root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("rotate audit file: %s is in the way", name)
	}
	_ = f.f.Truncate(f.size) // gives back what is allocated beyond; nothing is lost where it is not
	if err := f.root.Rename(current, name); err != nil {
		return fmt.Errorf("rotate audit file: %w", err)
	}
	names = append(names, name)
	for _, old := range names[:max(0, len(names)-(f.limits.MaxFiles-1))] {
		if err := f.root.Remove(old); err != nil {
			return fmt.Errorf("remove the oldest audit file: %w", err)
		}
	}
	f.closeFile()
	return f.open()
}

func (f *file) closeFile() {
	_ = f.f.Close() // every line was written
	f.f = nil
}

func (f *file) close() error {
	var errs []error
	if f.f != nil {
		_ = f.f.Truncate(f.size)
		errs = append(errs, f.f.Close())
	}
	if f.root != nil {
		errs = append(errs, f.root.Close())
	}
	return errors.Join(errs...)
}

// openDir opens the directory of the files, which is made where it is missing, never through a link.
func openDir(dataDir string) (*os.Root, error) {
	parent, err := os.OpenRoot(dataDir)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	defer parent.Close()
	if err := parent.Mkdir(Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make audit directory: %w", err)
	}
	return openExisting(parent)
}

func openExisting(parent *os.Root) (*os.Root, error) {
	if info, err := parent.Lstat(Dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("open audit directory: %s is not a directory", Dir)
	}
	root, err := parent.OpenRoot(Dir)
	if err != nil {
		return nil, fmt.Errorf("open audit directory: %w", err)
	}
	return root, nil
}

// rotated returns the names of the files before the present one, the oldest first.
func rotated(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("list audit files: %w", err)
	}
	defer dir.Close()
	all, err := dir.Readdirnames(-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("list audit files: %w", err)
	}
	names := slices.DeleteFunc(all, func(name string) bool { return numberOf(name) == 0 })
	slices.SortFunc(names, func(a, b string) int { return int(int64(numberOf(a)) - int64(numberOf(b))) })
	return names, nil
}

// numberOf returns the number in the name of a file that was rotated; 0 for another name.
func numberOf(name string) uint64 {
	digits, isRotated := strings.CutPrefix(name, rotatedPrefix)
	digits, isLines := strings.CutSuffix(digits, rotatedSuffix)
	n, err := strconv.ParseUint(digits, 10, 62)
	if !isRotated || !isLines || err != nil {
		return 0
	}
	return n
}
