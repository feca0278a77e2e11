package kv

import (
	"fmt"
	"log/slog"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"lightd/desired"
)

// engine is the opened Badger, with what each write to it owes the disk and the compaction.
type engine struct {
	badger    *badger.DB
	disk      *disk
	compactor *compactor
	// commit, unless nil, wraps each commit; see Options.Commit.
	commit func(commit func() error) error
	// maxSize and maxCount bound one commit. They are less than Badger's own bounds, which also
	// count what it adds itself.
	maxSize, maxCount int64
}

// tuning sizes Badger for a small daemon: a few thousand records of a few KiB.
// The memtable decides how much one transaction can hold: 15 percent of it in small
// values, any number of larger ones.
func tuning(dir string, log *slog.Logger) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithMemTableSize(32 << 20).
		WithNumMemtables(2).
		WithNumLevelZeroTables(1).
		WithNumLevelZeroTablesStall(6).
		WithNumCompactors(0). // see compactor
		WithValueThreshold(1 << 10).
		WithValueLogFileSize(64 << 20).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithCompression(options.None).
		WithMetricsEnabled(false).
		WithVerifyValueChecksum(true).
		WithDetectConflicts(false). // there is one writer
		WithLogger(badgerLog{log})
}

// openEngine opens Badger, whose files must have been verified before.
func openEngine(o badger.Options, d *disk, log *slog.Logger) (*engine, error) {
	db, err := badger.Open(o)
	if err != nil {
		return nil, Damaged("its files do not fit together", err)
	}
	return &engine{
		badger: db, disk: d, compactor: newCompactor(db, d, log),
		maxSize: db.MaxBatchSize() - 64<<10, maxCount: db.MaxBatchCount() - 16,
	}, nil
}

// counters reads the counters as they are on disk.
func (e *engine) counters() (counters, error) {
	snapshot := e.badger.NewTransaction(false)
	defer snapshot.Discard()
	tx, err := openTx(snapshot, true)
	if err != nil {
		return counters{}, err
	}
	return tx.counters, nil
}

// put returns once writes are on disk, all or none.
func (e *engine) put(writes overlay) error {
	txn := e.badger.NewTransaction(true)
	defer txn.Discard()
	for k, w := range writes {
		var err error
		if w.Value == nil {
			err = txn.Delete([]byte(k))
		} else {
			err = txn.Set([]byte(k), stored(w.Value))
		}
		if err != nil {
			return fmt.Errorf("write %q: %w", k, err)
		}
	}
	defer e.compactor.wake()
	defer e.disk.reserve.account(e.costOf(writes))
	if e.commit != nil {
		return e.commit(txn.Commit)
	}
	return txn.Commit()
}

func (e *engine) costOf(writes overlay) cost { return costOf(writes, e.badger.Opts().ValueThreshold) }

// sizeOf is at least what Badger will count for writes.
func sizeOf(writes overlay) int64 {
	const entry, threshold, pointer = 16, 1 << 10, 16
	var n int64
	for k, w := range writes {
		n += int64(len(k)) + entry
		if len(w.Value) < threshold {
			n += int64(len(w.Value)) + 1
		} else {
			n += pointer
		}
	}
	return n
}

// checkSize returns desired.ErrTooLarge when no commit can hold writes.
func (e *engine) checkSize(writes overlay) error {
	if size := sizeOf(writes); size > e.maxSize || int64(len(writes)) > e.maxCount {
		return fmt.Errorf("%w: %d writes of %d bytes", desired.ErrTooLarge, len(writes), size)
	}
	return nil
}

// badgerLog passes on Badger's warnings and errors, and drops its chatter.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) Errorf(format string, args ...any) {
	l.log.Error("database", "message", fmt.Sprintf(format, args...))
}

func (l badgerLog) Warningf(format string, args ...any) {
	l.log.Warn("database", "message", fmt.Sprintf(format, args...))
}

func (badgerLog) Infof(string, ...any) {}

func (badgerLog) Debugf(string, ...any) {}
