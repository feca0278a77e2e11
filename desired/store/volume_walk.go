package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// errWalkLimit ends a walk through more than the limits of a walk.
var errWalkLimit = errors.New("the volume has more files or directories than are walked through")

// walkLimits bound what a walk takes of the host: the entries of directories that are read, the directories
// that are entered, and the bytes of memory for those that are still ahead or above.
type walkLimits struct{ entries, directories, waiting int }

var volumeLimits = walkLimits{entries: 50_000_000, directories: 1 << 22, waiting: 64 << 20}

// walkBatch is how many names are read at once, and waitingCost about what a directory that is ahead takes
// in memory beside its name.
const (
	walkBatch   = 256
	waitingCost = 64
)

// openDirectory are the flags to open one as the next of a walk: no link is followed, and no pipe waited for.
const openDirectory = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// fileID identifies a file.
type fileID struct{ dev, ino uint64 }

func fileIDOf(st *unix.Stat_t) fileID { return fileID{uint64(st.Dev), st.Ino} }

// walk calls visit for all that is below a directory, with the descriptor and name of the directory entry,
// and what it was when it was read. A volume is written to meanwhile, by programs that may be hostile:
//
//   - Directories are entered one at a time below their open parent, and left by "..": each must be the one that
//     was read before, by device and inode. No link is followed, and no other file system entered.
//   - Each directory is entered once, wherever it is moved to.
//   - Three descriptors are open, however deep the tree is.
//   - Time and memory are bounded by volumeLimits; the error is errWalkLimit, or that of ctx.
//
// What goes away or is moved meanwhile, or cannot be read, is passed over.
func walk(ctx context.Context, top *os.File, visit func(dir int, name string, st *unix.Stat_t)) error {
	return walkWithin(ctx, top, volumeLimits, visit)
}

func walkWithin(ctx context.Context, top *os.File, limits walkLimits, visit func(dir int, name string, st *unix.Stat_t)) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(top.Fd()), &st); err != nil {
		return err
	}
	w := walker{top: top, left: limits, visit: visit, entered: map[fileID]bool{}}
	defer func() { w.move(nil) }()
	err := w.enter(ctx, directory{".", fileIDOf(&st)})
	for err == nil && len(w.way) > 0 {
		last := &w.way[len(w.way)-1]
		if len(last.ahead) == 0 {
			err = w.leave(ctx)
			continue
		}
		next := last.ahead[len(last.ahead)-1]
		last.ahead = last.ahead[:len(last.ahead)-1]
		err = w.enter(ctx, next)
	}
	return err
}

// directory is one that was read: its name in its parent, and what it was.
type directory struct {
	name string
	id   fileID
}

// cost is how many bytes of memory are reserved for d.
func (d directory) cost() int { return waitingCost + len(d.name) }

// level is a directory on the way from the top to the present one, with those in it that are ahead.
type level struct {
	directory
	ahead []directory
}

// walker is a walk that is under way, depth first.
type walker struct {
	top *os.File
	// at is the last directory of way, open; nil before the first.
	at      *os.File
	way     []level
	entered map[fileID]bool
	left    walkLimits
	visit   func(dir int, name string, st *unix.Stat_t)
}

// open opens a directory by its name in another, and requires it to be what it was.
func (w *walker) open(in *os.File, name string, id fileID) (*os.File, error) {
	fd, err := unix.Openat(int(in.Fd()), name, openDirectory, 0)
	if err != nil {
		return nil, fmt.Errorf("open directory: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || fileIDOf(&st) != id {
		return nil, errors.Join(unix.ESTALE, err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// move makes a directory the present one.
func (w *walker) move(to *os.File) {
	if w.at != nil {
		_ = w.at.Close() // it was only read
	}
	w.at = to
}

// enter goes down into a directory in the present one, and reads it.
func (w *walker) enter(ctx context.Context, d directory) error {
	w.left.waiting += d.cost()
	if w.entered[d.id] {
		return nil
	}
	in := w.at
	if in == nil {
		in = w.top
	}
	to, err := w.open(in, d.name, d.id)
	if err != nil {
		return exhausted(err)
	}
	w.move(to)
	w.entered[d.id] = true
	w.left.waiting -= d.cost()
	w.way = append(w.way, level{directory: d})
	if len(w.entered) > w.left.directories {
		return errWalkLimit
	}
	return w.read(ctx)
}

// leave goes up from the present directory, which is done. One that was moved elsewhere leads to another
// parent: the way is then gone down again from the top, as far as it is still there.
func (w *walker) leave(ctx context.Context) error {
	w.drop(len(w.way) - 1)
	if len(w.way) == 0 {
		return nil
	}
	up, err := w.open(w.at, "..", w.way[len(w.way)-1].id)
	if err == nil {
		w.move(up)
		return nil
	}
	w.move(nil)
	for i, d := range w.way {
		if w.left.entries--; w.left.entries < 0 {
			return errWalkLimit
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		in := w.at
		if in == nil {
			in = w.top
		}
		to, err := w.open(in, d.name, d.id)
		if err != nil {
			w.drop(i)
			return exhausted(err)
		}
		w.move(to)
	}
	return nil
}

// drop ends the way before an index, and what was ahead from there on is passed over.
func (w *walker) drop(from int) {
	for _, d := range w.way[from:] {
		w.left.waiting += d.cost()
		for _, ahead := range d.ahead {
			w.left.waiting += ahead.cost()
		}
	}
	w.way = w.way[:from]
}

// read visits the entries of the present directory, and keeps the directories in it as ahead.
func (w *walker) read(ctx context.Context) error {
	last, top := &w.way[len(w.way)-1], w.way[0].id
	for {
		names, end := w.at.Readdirnames(walkBatch)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, name := range names {
			if w.left.entries--; w.left.entries < 0 {
				return errWalkLimit
			}
			var st unix.Stat_t
			if unix.Fstatat(int(w.at.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || uint64(st.Dev) != top.dev {
				continue
			}
			w.visit(int(w.at.Fd()), name, &st)
			if st.Mode&unix.S_IFMT != unix.S_IFDIR {
				continue
			}
			d := directory{name, fileIDOf(&st)}
			if w.left.waiting -= d.cost(); w.left.waiting < 0 {
				return errWalkLimit
			}
			last.ahead = append(last.ahead, d)
		}
		if end != nil { // or an error: what cannot be read is passed over
			return nil
		}
	}
}

// exhausted returns an error that is the lack of descriptors or memory, after which nothing can be opened.
func exhausted(err error) error {
	for _, lack := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
		if errors.Is(err, lack) {
			return err
		}
	}
	return nil
}
