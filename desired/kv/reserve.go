package kv

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/dgraph-io/badger/v4"
)

// The database writes through memory maps of files that are sparse: each page that is written
// for the first time takes a block, and where the disk has none left the process is killed.
// So blocks are allocated ahead of what is written next, in the two files that a commit goes
// to. A commit that fits there needs no free space at all. Only when the database begins
// another file does it need some, which a ballast file holds until then, and for a start on a
// full disk.

const (
	memWindow, logWindow = 8 << 20, 16 << 20
	// rotationRoom is what the database may need to begin another file, or to be opened: the
	// table of a full memtable, and the heads of its new files.
	rotationRoom = 48 << 20
	ballastSize  = rotationRoom
	ballastName  = "ballast"
)

// cost is at least what a commit adds to the two files.
type cost struct{ mem, log int64 }

func (c cost) plus(more cost) cost { return cost{c.mem + more.mem, c.log + more.log} }

// commitCost is what a commit adds besides its records: its end mark, and the counters.
const commitCost = 1 << 10

// costOf returns what writes add: to the memtable, of whose two forms the one in memory is
// the larger, and to the value log, of those from threshold bytes on.
func costOf(writes overlay, threshold int64) cost {
	const node, pointer, entry = 192, 32, 64
	var c cost
	for k, w := range writes {
		size := int64(len(w.Value)) + 1
		c.mem += node + pointer + int64(len(k))
		if size < threshold {
			c.mem += size
		} else {
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

func (s *segment) fits(more int64) bool { return s.used+more <= min(s.limit, s.allocated) }

// reserve holds space for the writes that go on on a full disk. A nil reserve holds none. Its
// methods may be called by any goroutine.
type reserve struct {
	dir       string
	log       *slog.Logger
	threshold int64

	mu       sync.Mutex
	mem, vlg segment // guarded by mu, like all below
	last     cost    // of the commit before
	ballast  bool    // is there
}

// openReserve makes the reserve of an open database.
func openReserve(dir string, o badger.Options, log *slog.Logger) (*reserve, error) {
	r := &reserve{
		dir: dir, log: log, threshold: o.ValueThreshold,
		mem: segment{ext: ".mem", window: memWindow, limit: o.MemTableSize},
		vlg: segment{ext: ".vlog", window: logWindow, limit: o.ValueLogFileSize},
	}
	_, err := os.Lstat(filepath.Join(dir, ballastName))
	r.ballast = err == nil
	if err := r.findLocked(cost{64 << 10, 64 << 10}); err != nil {
		return nil, err
	}
	return r, r.allocate()
}

// findLocked makes the newest files those that are appended to. What is new of them holds at most
// first. The caller holds mu.
func (r *reserve) findLocked(first cost) error {
	files, err := os.ReadDir(r.dir)
	if err != nil {
		return fmt.Errorf("find the files of the database: %w", err)
	}
	for seg, first := range map[*segment]int64{&r.mem: first.mem, &r.vlg: first.log} {
		newest := ""
		for _, f := range files {
			if filepath.Ext(f.Name()) == seg.ext {
				newest = max(newest, f.Name()) // their numbers have the same length
			}
		}
		if newest != seg.name {
			seg.name, seg.used, seg.allocated = newest, first, 0
		}
	}
	return nil
}

// allocate gives the files the blocks of their windows. The caller holds mu, or is alone.
func (r *reserve) allocate() error {
	var errs []error
	for _, seg := range []*segment{&r.mem, &r.vlg} {
		want := min(seg.used+seg.window, seg.limit)
		if seg.name == "" || seg.allocated >= min(seg.used+seg.window/2, seg.limit) {
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
	if r.mem.fits(c.mem+commitCost) && r.vlg.fits(c.log+commitCost) || free >= rotationRoom {
		return true
	}
	return r.releaseLocked()
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
	c = c.plus(cost{commitCost, commitCost})
	r.mem.used += c.mem
	r.vlg.used += c.log
	if r.mem.used >= r.mem.limit || r.vlg.used >= r.vlg.limit {
		if err := r.findLocked(c.plus(r.last)); err != nil {
			r.log.Warn("reserve of the database", "error", err)
		}
	}
	r.last = c
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
