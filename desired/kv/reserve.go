package kv

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// The database writes through memory maps of files that are sparse: each page that is written
// for the first time takes a block, and where the disk has none left the process is killed.
// So blocks are allocated ahead of what is written next, in the two files that a commit goes
// to. A commit that fits there needs no free space at all. Only when the database begins
// another file does it need some, which a ballast file holds until then, and for a start on a
// full disk.

const (
	// memWindow is all of a memtable: it fills up without free space, and only the table that is
	// made of it then needs some. What is written on a full disk is rarely large enough for the
	// value log.
	memWindow, logWindow = 32 << 20, 8 << 20
	// rotationRoom is what the database may need to begin another file, or to be opened: the
	// table of a full memtable, what a last large commit takes beyond its size, and the heads of
	// its new files.
	rotationRoom = 48 << 20
	ballastSize  = rotationRoom
	ballastName  = "ballast"
	// tableWait bounds how long a commit waits for the blocks that the end of a rotation frees.
	tableWait = 3 * time.Second
)

// cost is at least what a commit adds to the two files.
type cost struct{ mem, log int64 }

func (c cost) plus(more cost) cost { return cost{c.mem + more.mem, c.log + more.log} }

const (
	// entrySize is at least what an entry adds to a memtable besides its key and its value: in
	// memory, where it is larger than in the file, a node of the skip list and the version.
	entrySize = 128
	// commitCost is what a commit adds to the memtable besides its records: its end mark, and
	// the counters.
	commitCost = 512
)

// costOf returns what writes add: to the memtable, and to the value log, of those from threshold
// bytes on.
func costOf(writes overlay, threshold int64) cost {
	const pointer, entry = 16, 64
	var c cost
	for k, w := range writes {
		size := int64(len(w.Value)) + 1
		c.mem += entrySize + int64(len(k))
		if size < threshold {
			c.mem += size
		} else {
			c.mem += pointer
			c.log += entry + int64(len(k)) + size
		}
	}
	return c
}

// segment is the file of a kind that the database appends to at present.
type segment struct {
	ext    string
	window int64
	// limit is where the database begins another file at the earliest.
	limit int64
	name  string
	// used is at least how far it is written, allocated up to where it has blocks.
	used, allocated int64
}

func (s *segment) fits(more int64) bool {
	return more == 0 || s.used+more <= min(s.limit, s.allocated)
}

// reserve holds space for the writes that go on on a full disk. A nil reserve holds none. Its
// methods may be called by any goroutine.
type reserve struct {
	dir string
	log *slog.Logger

	mu       sync.Mutex
	mem, vlg segment // guarded by mu, like all below
	ballast  bool    // is there
}

// openReserve makes the reserve of an open database.
func openReserve(dir string, o badger.Options, log *slog.Logger) (*reserve, error) {
	r := &reserve{
		dir: dir, log: log,
		mem: segment{ext: ".mem", window: memWindow, limit: o.MemTableSize},
		vlg: segment{ext: ".vlog", window: logWindow, limit: o.ValueLogFileSize},
	}
	_, err := os.Lstat(filepath.Join(dir, ballastName))
	r.ballast = err == nil
	if err := r.findLocked(); err != nil {
		return nil, err
	}
	return r, r.allocate()
}

// findLocked makes the newest files those that are appended to. The caller holds mu.
func (r *reserve) findLocked() error {
	for _, seg := range []*segment{&r.mem, &r.vlg} {
		files, err := filepath.Glob(filepath.Join(r.dir, "*"+seg.ext))
		if err != nil {
			return fmt.Errorf("find the files of the database: %w", err)
		}
		if len(files) == 0 || filepath.Base(slices.Max(files)) == seg.name { // their numbers have the same length
			continue
		}
		written, err := readLog(slices.Max(files))
		if err != nil {
			return fmt.Errorf("find the end of a file of the database: %w", err)
		}
		seg.name, seg.used, seg.allocated = filepath.Base(slices.Max(files)), written.log, 0
		if seg == &r.mem {
			seg.used = written.mem
		}
	}
	return nil
}

// rotating reports whether the table of a memtable is being written. The file of that memtable is removed at
// the end of it.
func (r *reserve) rotating() bool {
	files, err := filepath.Glob(filepath.Join(r.dir, "*"+r.mem.ext))
	return err != nil || len(files) > 1
}

// allocate gives the files the blocks of their windows, and leaves the table of a memtable its
// room. The caller holds mu, or is alone.
func (r *reserve) allocate() error {
	var errs []error
	for _, seg := range []*segment{&r.mem, &r.vlg} {
		want := min(seg.used+seg.window, seg.limit)
		if seg.name == "" || seg.allocated >= min(seg.used+seg.window/2, seg.limit) {
			continue
		}
		free, err := freeSpace(r.dir)
		if err == nil && free < uint64(rotationRoom+want-seg.allocated) && (r.mem.used >= r.mem.limit || r.rotating()) {
			continue
		}
		if err := allocate(filepath.Join(r.dir, seg.name), 0, want); err != nil {
			errs = append(errs, err)
			continue
		}
		seg.allocated = want
	}
	return errors.Join(errs...)
}

// allocate gives an existing file blocks up to a size that it need not have.
func allocate(path string, flags int, size int64) error {
	const keepSize = 1 // FALLOC_FL_KEEP_SIZE
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|flags, 0o600)
	if err != nil {
		return err
	}
	err = syscall.Fallocate(int(f.Fd()), keepSize, 0, size)
	if err != nil {
		err = fmt.Errorf("allocate %d MiB of %s: %w", size>>20, path, err)
	}
	return errors.Join(err, f.Close())
}

// admit reports whether a commit of that cost can be made with so many bytes free.
func (r *reserve) admit(c cost, free uint64) bool {
	if r == nil {
		return free >= rotationRoom
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fitsLocked(c) || free >= rotationRoom || r.releaseLocked() {
		return true
	}
	if !r.rotating() {
		return false
	}
	for end := time.Now().Add(tableWait); r.rotating() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	r.followLocked()
	return r.fitsLocked(c)
}

func (r *reserve) fitsLocked(c cost) bool {
	return r.mem.fits(c.mem+commitCost) && r.vlg.fits(c.log)
}

// releaseLocked gives the ballast back to the disk, and reports whether there is room now. The
// caller holds mu.
func (r *reserve) releaseLocked() bool {
	if !r.ballast {
		return false
	}
	r.log.Warn("the reserve of the database is used up; its ballast is released", "database", r.dir)
	if err := os.Remove(filepath.Join(r.dir, ballastName)); err != nil {
		r.log.Error("release the ballast of the database", "error", err)
		return false
	}
	r.ballast = false
	free, err := freeSpace(r.dir)
	return err == nil && free >= rotationRoom
}

// account notes what a commit has written, and allocates what comes next.
func (r *reserve) account(c cost) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mem.used += c.mem + commitCost
	r.vlg.used += c.log
	r.followLocked()
}

// rescan reads from the files what was written to them beside the commits.
func (r *reserve) rescan() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mem.name, r.vlg.name = "", ""
	r.followLocked()
}

// followLocked finds the files anew where there may be others, and allocates what comes next. The
// caller holds mu.
func (r *reserve) followLocked() {
	if r.mem.name == "" || r.mem.used >= r.mem.limit || r.vlg.used >= r.vlg.limit {
		if err := r.findLocked(); err != nil {
			r.log.Warn("reserve of the database", "error", err)
		}
	}
	if err := r.allocate(); err != nil {
		r.log.Debug("reserve of the database", "error", err)
	}
}

// restore allocates what is missing once there is room.
func (r *reserve) restore(free, keep uint64) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.allocate(); err != nil {
		r.log.Debug("reserve of the database", "error", err)
	}
	if r.ballast || free < keep+ballastSize {
		return
	}
	path := filepath.Join(r.dir, ballastName)
	if err := allocate(path, os.O_CREATE, ballastSize); err != nil {
		r.log.Warn("make the ballast of the database", "error", errors.Join(err, os.Remove(path)))
		return
	}
	r.ballast = true
}
