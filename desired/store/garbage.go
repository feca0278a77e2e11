package store

import (
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"
)

const gcInterval = 10 * time.Minute

// compact merges the tables that full memtables leave behind, as the database's own
// compactors would: those look twenty times a second each whether anything was written or
// not, which is most of what an idle daemon would cost. They stop all writing at
// NumLevelZeroTablesStall tables, which hundreds of commits lie before.
func (s *Store) compact() {
	for {
		s.compactTables()
		select {
		case <-s.closing:
			return
		case <-s.written:
		}
	}
}

// compactTables makes one sorted table, or as many as its size asks for, of all that there are, once
// there are enough new ones.
func (s *Store) compactTables() {
	// Merging needs space before it gives some back.
	if s.db.Levels()[0].NumTables <= s.db.Opts().NumLevelZeroTables || s.checkSpace() != nil {
		return
	}
	if err := s.db.Flatten(1); err != nil {
		s.log.Warn("merge tables of the database", "error", err)
	}
}

// wake makes compact look at the tables.
func (s *Store) wake() {
	select {
	case s.written <- struct{}{}:
	default:
	}
}

// collectGarbage gives back, now and then, the disk space of values that were replaced.
func (s *Store) collectGarbage() {
	tick := time.NewTicker(gcInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		s.reclaimValueLog()
	}
}

// reclaimValueLog rewrites files of the value log, half of which is garbage, until none is left.
func (s *Store) reclaimValueLog() {
	// Rewriting needs space before it gives some back.
	for s.checkSpace() == nil {
		err := s.db.RunValueLogGC(0.5)
		if err == nil {
			s.accountRewrite()
		}
		if err != nil {
			if !errors.Is(err, badger.ErrNoRewrite) {
				s.log.Warn("collect garbage of the database", "error", err)
			}
			return
		}
		s.wake()
	}
}

// accountRewrite accounts what a collection has written: at most half a file of the value log,
// to both files, and the last part of it to files that were begun meanwhile.
func (s *Store) accountRewrite() {
	const smallest = 1 << 10 // of the values in the log
	half := s.db.Opts().ValueLogFileSize
	s.reserve.account(cost{half / smallest * 256, half})
}
