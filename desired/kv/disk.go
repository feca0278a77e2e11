package kv

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// spaceInterval is how often the free space is measured where nothing is written.
const spaceInterval = time.Second

// disk decides what may be written with the space that is left.
type disk struct {
	dir   string
	log   *slog.Logger
	space *spaceMonitor
	// reserve is nil unless Options.Reserve is set and the reserve could be opened.
	reserve *reserve
}

// makeRoom makes sure that there is room to open the database: opening writes at once.
func (d *disk) makeRoom(withReserve bool) error {
	now, err := d.space.measure()
	if err != nil || now.Level != SpaceFull {
		return err
	}
	full := func() error {
		refusal := now.Full()
		refusal.Closed = true
		return refusal
	}
	if !withReserve {
		return full()
	}
	err = os.Remove(filepath.Join(d.dir, ballastName))
	if errors.Is(err, fs.ErrNotExist) {
		return full()
	}
	if err != nil {
		return fmt.Errorf("release the ballast of the database: %w", err)
	}
	d.log.Warn("disk full; ballast of the database released to open it", "database", d.dir, "disk", now.Mount)
	if now, err = d.space.measure(); err != nil || now.Free >= rotationRoom {
		return err
	}
	return full()
}

// check returns a *desired.DiskFullError when too little space is left for an ordinary
// write. Badger writes through memory maps: running out in the middle of one kills the
// process.
func (d *disk) check() error {
	now, err := d.space.measure()
	if err != nil {
		return err
	}
	if now.Level == SpaceFull {
		return now.Full()
	}
	return nil
}

// admit returns what keeps a write of that cost, besides what is pending, from a commit. A write
// that is essential may use the reserve.
func (d *disk) admit(essential bool, pending, more cost) error {
	now, err := d.space.measure()
	switch {
	case err != nil:
		return err
	case now.Level != SpaceFull:
		return nil
	case !essential:
		return now.Full()
	}
	fits := d.reserve.admit(pending.plus(more), now.Free)
	now = d.space.setExhausted(!fits)
	if !fits {
		return now.Full()
	}
	return nil
}

// closable reports whether closing the database, which writes a table, has the room for it. A
// database that is not closed is opened as after a crash: nothing is lost.
func (d *disk) closable() bool {
	if d.reserve == nil {
		return true // as far as is known
	}
	now, err := d.space.measure()
	return err == nil && (now.Level != SpaceFull || d.reserve.admit(cost{rotationRoom, rotationRoom}, now.Free))
}

// watch measures the space now and then until closing is closed, so that a change is known
// where nothing is written, and keeps the reserve filled.
func (d *disk) watch(closing <-chan struct{}) {
	tick := time.NewTicker(spaceInterval)
	defer tick.Stop()
	for {
		select {
		case <-closing:
			return
		case <-tick.C:
		}
		now, err := d.space.measure()
		if err != nil {
			d.log.Warn("free space of the database unknown", "database", d.dir, "error", err)
			continue
		}
		d.reserve.restore(now.Free, d.space.minFree)
		if now.Exhausted && d.reserve.admit(cost{}, now.Free) {
			d.space.setExhausted(false)
		}
	}
}
