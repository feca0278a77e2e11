package kv

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired/subscribe"
)

const valueLogInterval = 10 * time.Minute

// compactor keeps what Badger leaves behind small: it merges tables, and reclaims the space of
// values that were replaced. Badger's own compactors check twenty times a second each whether
// anything was written or not, which is most of what an idle daemon would cost; this one checks
// after each commit.
type compactor struct {
	badger  *badger.DB
	disk    *disk
	log     *slog.Logger
	written chan struct{} // has something in it when the tables must be checked again
	// missing, unless 0, is what must be free before ordinary writes go on; see check.
	missing atomic.Uint64
}

func newCompactor(db *badger.DB, d *disk, log *slog.Logger) *compactor {
	return &compactor{badger: db, disk: d, log: log, written: make(chan struct{}, 1)}
}

// wake makes compact check the tables.
func (c *compactor) wake() {
	subscribe.Wake(c.written)
}

// compact merges the tables that full memtables leave behind, until closing is closed. Badger
// stops all writing at NumLevelZeroTablesStall tables, which are hundreds of commits.
func (c *compactor) compact(closing <-chan struct{}) {
	for {
		c.mergeTables()
		select {
		case <-closing:
			return
		case <-c.written:
		}
	}
}

// mergeTables makes one sorted table, or as many as its size asks for, of all that there are,
// once there are enough new ones, and room for what it makes of them before it removes them.
func (c *compactor) mergeTables() {
	levels, room := c.badger.Levels(), int64(rotationRoom) // what is written meanwhile goes on
	for _, level := range levels {
		if level.Level == 0 || level.IsBaseLevel {
			room += level.Size
		}
	}
	if levels[0].NumTables <= c.badger.Opts().NumLevelZeroTables {
		c.missing.Store(0)
		return
	}
	now, err := c.disk.space.measure()
	if err != nil || now.Level == SpaceFull || now.Free < uint64(room) {
		if levels[0].NumTables >= c.badger.Opts().NumLevelZeroTablesStall-1 {
			c.missing.Store(uint64(room))
		}
		return
	}
	c.missing.Store(0)
	if err := c.badger.Flatten(1); err != nil {
		c.log.Warn("merge tables of the database", "error", err)
	}
}

// check returns a *desired.DiskFullError once so many tables wait for the room to be merged that more of them would
// stop all writing.
func (c *compactor) check() error {
	needed := c.missing.Load()
	if needed == 0 {
		return nil
	}
	c.wake() // there may be room now
	full := c.disk.space.current().Full()
	full.Needed = needed
	return full
}

// collectGarbage reclaims the value log now and then, until closing is closed.
func (c *compactor) collectGarbage(closing <-chan struct{}) {
	tick := time.NewTicker(valueLogInterval)
	defer tick.Stop()
	for {
		select {
		case <-closing:
			return
		case <-tick.C:
		}
		c.reclaimValueLog()
	}
}

// reclaimValueLog rewrites files of the value log, half of which is garbage, until none is left.
func (c *compactor) reclaimValueLog() {
	// Rewriting needs space before it gives some back.
	for c.disk.check() == nil {
		err := c.badger.RunValueLogGC(0.5)
		if err != nil {
			if !errors.Is(err, badger.ErrNoRewrite) {
				c.log.Warn("collect garbage of the database", "error", err)
			}
			return
		}
		c.disk.reserve.rescan()
		c.wake()
	}
}
