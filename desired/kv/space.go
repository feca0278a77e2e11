package kv

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"lightd/desired"
	"lightd/desired/subscribe"
)

// SpaceLevel is how much is left on the disk of the database.
type SpaceLevel string

// The levels.
const (
	SpaceOK SpaceLevel = "ok"
	// SpaceLow means that every write is taken, and an operator should make room.
	SpaceLow SpaceLevel = "low"
	// SpaceFull means that only essential writes are taken; see Tx.SetEssential.
	SpaceFull SpaceLevel = "full"
)

// Space is what is left on the disk of the database.
type Space struct {
	Level SpaceLevel
	// Mount is where that disk is mounted, Free what is free on it and Needed what it takes to
	// be no longer low, or full, in bytes.
	Mount        string
	Free, Needed uint64
	// Since is when the level was reached.
	Since time.Time
	// Exhausted is true when the last write that may use the reserve found none: nothing is
	// recorded until there is room.
	Exhausted bool
}

// Full returns the error that answers a write on a full disk.
func (s Space) Full() *desired.DiskFullError {
	return &desired.DiskFullError{Mount: s.Mount, Free: s.Free, Needed: s.Needed}
}

// lowFactor times MinFree is where the disk begins to be low; it ceases to be an eighth higher,
// so that a log that comes and goes makes no event each time.
const lowFactor = 4

// spaceMonitor measures the free space, and notifies subscribers of a change.
type spaceMonitor struct {
	dir       string
	minFree   uint64
	freeSpace func(dir string) (uint64, error)

	mu      sync.Mutex
	space   Space // guarded by mu
	changed subscribe.Funcs[Space]
}

// current returns what is left as of the last measurement.
func (m *spaceMonitor) current() Space {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.space
}

// measure reads the free space, and notifies subscribers of another level.
func (m *spaceMonitor) measure() (Space, error) {
	free, err := m.freeSpace(m.dir)
	if err != nil {
		return Space{}, fmt.Errorf("read free space of %s: %w: %w", m.dir, desired.ErrUnavailable, err)
	}
	return m.update(func(now *Space) {
		low := lowFactor * m.minFree
		if now.Level == SpaceLow || now.Level == SpaceFull {
			low += low / 8
		}
		now.Free = free
		switch {
		case free < m.minFree:
			now.Level, now.Needed = SpaceFull, m.minFree
		case free < low:
			now.Level, now.Needed, now.Exhausted = SpaceLow, low, false
		default:
			now.Level, now.Needed, now.Exhausted = SpaceOK, low, false
		}
	}), nil
}

// setExhausted records whether the last write that may use the reserve found room in it.
func (m *spaceMonitor) setExhausted(exhausted bool) Space {
	return m.update(func(now *Space) { now.Exhausted = exhausted })
}

func (m *spaceMonitor) update(fn func(*Space)) Space {
	m.mu.Lock()
	before := m.space
	fn(&m.space)
	if m.space.Level != before.Level {
		m.space.Since = now()
	}
	space := m.space
	m.mu.Unlock()
	if before.Level != "" && (before.Level != space.Level || before.Exhausted != space.Exhausted) {
		m.changed.Notify(space)
	}
	return space
}

func freeSpace(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// mountPoint returns where the disk that holds dir is mounted, as far as device numbers show.
func mountPoint(dir string) string {
	device := func(path string) (uint64, bool) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		return uint64(st.Dev), ok
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	here, ok := device(dir)
	for ok && dir != "/" {
		above, known := device(filepath.Dir(dir))
		if !known || above != here {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}
