package files

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// checkEvery is how many bytes are written before the room is measured again, and written out to the disk
// while the next ones come.
const checkEvery = 8 << 20

// free returns what is free on the disk of a volume. The directory above is asked: in one with a project quota the
// kernel shows what is left of that, which is no sign of a full disk.
func (t *Tree) free() (uint64, error) {
	above, err := openDir(t.top, "..")
	if err != nil {
		return 0, err
	}
	defer func() { _ = above.Close() }() // it was only read
	var volume, directory unix.Stat_t
	if err := errors.Join(unix.Fstat(int(t.top.Fd()), &volume), unix.Fstat(int(above.Fd()), &directory)); err != nil {
		return 0, err
	}
	at := above
	if volume.Dev != directory.Dev { // it is mounted from a disk of its own
		at = t.top
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(at.Fd()), &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// CheckRoom returns a NoRoomError unless the volume may take so many bytes more.
func (t *Tree) CheckRoom(bytes int64) error {
	if t.trees.Room != nil {
		if quota, limited := t.trees.Room.Left(t.volume, bytes); limited && quota < bytes {
			return &NoRoomError{Quota: true}
		}
	}
	free, err := t.free()
	if err != nil {
		return err
	}
	if left := int64(min(free-min(free, t.trees.Reserve), math.MaxInt64)); left < bytes {
		return &NoRoomError{}
	}
	return nil
}

// Meter bounds what one operation writes. Its zero value has measured nothing yet.
type Meter struct {
	Tree *Tree
	// Wrote, unless nil, is called with the bytes that were written.
	Wrote func(n int64)

	since int64
}

// Take reserves room for bytes that are about to be written.
func (m *Meter) Take(ctx context.Context, n int64) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if m.since -= n; m.since > 0 {
		return nil
	}
	m.since = checkEvery
	return m.Tree.CheckRoom(n)
}

// buffers are for copies: one for each that is under way.
var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// Copy writes what from has to a file, as far as there is room for it. The disk is written to meanwhile, so
// that little is left for a sync at the end.
func (m *Meter) Copy(ctx context.Context, to *os.File, from io.Reader) (written int64, err error) {
	buffer := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buffer)
	var flushed int64
	for {
		n, err := from.Read(buffer[:])
		if n > 0 {
			if err := m.Take(ctx, int64(n)); err != nil {
				return written, err
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return written, err
			}
			written += int64(n)
			if room := m.Tree.trees.Room; room != nil {
				room.Wrote(m.Tree.volume, int64(n))
			}
			if m.Wrote != nil {
				m.Wrote(int64(n))
			}
		}
		if written-flushed >= checkEvery {
			_ = unix.SyncFileRange(int(to.Fd()), flushed, written-flushed, unix.SYNC_FILE_RANGE_WRITE) // the sync at the end counts
			flushed = written
		}
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}
