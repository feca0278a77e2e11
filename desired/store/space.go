package store

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"lightd/desired"
)

// SpaceLevel is how much is left on the disk of the database.
type SpaceLevel string

// The levels.
const (
	SpaceOK SpaceLevel = "ok"
	// SpaceLow: every write is taken; somebody should make room.
	SpaceLow SpaceLevel = "low"
	// SpaceFull: only what frees space or powers off, status and events are written.
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

const (
	// spaceEvery is how often the free space is measured where nothing is written.
	spaceEvery = time.Second
	// lowFactor times MinFree is where the disk begins to be low; it ends to be an eighth higher,
	// so that a log that comes and goes makes no event each time.
	lowFactor = 4
)

// Space returns what is left as of the last measurement.
func (s *Store) Space() Space {
	s.spaceMu.Lock()
	defer s.spaceMu.Unlock()
	return s.space
}

// SubscribeSpace calls fn when the level has changed, or whether the reserve is exhausted. fn
// must not block, nor write.
func (s *Store) SubscribeSpace(fn func(Space)) (cancel func()) { return s.spaceChanged.Add(fn) }

// measureSpace reads the free space, and tells subscribers of another level.
func (s *Store) measureSpace() (Space, error) {
	free, err := s.options.FreeSpace(s.dir)
	if err != nil {
		return Space{}, fmt.Errorf("read free space of %s: %w: %w", s.dir, desired.ErrUnavailable, err)
	}
	return s.setSpace(func(now *Space) {
		low := lowFactor * s.options.MinFree
		if now.Level == SpaceLow || now.Level == SpaceFull {
			low += low / 8
		}
		now.Free = free
		switch {
		case free < s.options.MinFree:
			now.Level, now.Needed = SpaceFull, s.options.MinFree
		case free < low:
			now.Level, now.Needed, now.Exhausted = SpaceLow, low, false
		default:
			now.Level, now.Needed, now.Exhausted = SpaceOK, low, false
		}
	}), nil
}

// setSpace changes what is known of the space.
func (s *Store) setSpace(fn func(*Space)) Space {
	s.spaceMu.Lock()
	before := s.space
	fn(&s.space)
	if s.space.Level != before.Level {
		s.space.Since = now()
	}
	space := s.space
	s.spaceMu.Unlock()
	if before.Level != "" && (before.Level != space.Level || before.Exhausted != space.Exhausted) {
		s.spaceChanged.Tell(space)
	}
	return space
}

// checkSpace returns a *desired.DiskFullError when too little space is left for an ordinary
// write. The database writes through memory maps: running out in the middle of one kills the
// process.
func (s *Store) checkSpace() error {
	now, err := s.measureSpace()
	if err != nil {
		return err
	}
	if now.Level == SpaceFull {
		return now.Full()
	}
	return nil
}

// admit returns what keeps a write of that cost, besides what is pending, from a commit. It is
// the one place that decides. A write that is essential may use the reserve.
func (s *Store) admit(essential bool, pending, more cost) error {
	now, err := s.measureSpace()
	switch {
	case err != nil:
		return err
	case now.Level != SpaceFull:
		return nil
	case !essential:
		return now.Full()
	}
	fits := s.reserve.admit(pending.plus(more), now.Free)
	now = s.setSpace(func(now *Space) { now.Exhausted = !fits })
	if !fits {
		return now.Full()
	}
	return nil
}

// watchSpace measures the space now and then, so that a change is known where nothing is
// written, and keeps the reserve filled.
func (s *Store) watchSpace() {
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		now, err := s.measureSpace()
		if err != nil {
			s.log.Warn("free space of the database is not known", "error", err)
			continue
		}
		s.reserve.restore(now.Free, s.options.MinFree)
		if now.Exhausted && s.reserve.admit(cost{}, now.Free) {
			s.setSpace(func(now *Space) { now.Exhausted = false })
		}
	}
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
