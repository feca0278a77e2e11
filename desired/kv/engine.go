package kv

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"slices"

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

const (
	// valueThreshold is the size in bytes from which Badger keeps a value in its value log. What
	// of that log is garbage is known only when tables are merged, so what is written often must
	// stay below: it fills memtables, and is merged soon.
	valueThreshold = 8 << 10
	// smallestPadded is the size in bytes from which engine.fit pads a value. Below it a record
	// is not much larger than its entry in the memtable.
	smallestPadded = 1 << 10
)

// tuning sizes Badger for a small daemon: a few thousand records of a few KiB.
// The memtable decides how much one transaction can hold: 15 percent of it in small
// values, any number of larger ones; see engine.fit. An earlier version of the program must be
// able to open what this one wrote, so the memtable has the size that it always had.
func tuning(dir string, log *slog.Logger) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithMemTableSize(32 << 20).
		WithNumMemtables(2).
		WithNumLevelZeroTables(1).
		WithNumLevelZeroTablesStall(6).
		WithNumCompactors(0). // see compactor
		WithValueThreshold(valueThreshold).
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

// admit returns what keeps a write of that cost, besides what is pending, from a commit.
func (e *engine) admit(essential bool, pending, more cost) error {
	if !essential {
		if err := e.compactor.check(); err != nil {
			return err
		}
	}
	return e.disk.admit(essential, pending, more)
}

func (e *engine) costOf(writes overlay) cost { return costOf(writes, e.badger.Opts().ValueThreshold) }

// sizeOf is at least what Badger will count for writes.
func (e *engine) sizeOf(writes overlay) int64 {
	const entry, pointer = 16, 16
	threshold := int(e.badger.Opts().ValueThreshold)
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

// fit makes writes that no commit can hold smaller for Badger: it pads values with spaces, so
// that they go to the value log, the largest first and no more than it takes. It returns
// desired.ErrTooLarge when no commit can hold them even so.
func (e *engine) fit(writes overlay) error {
	size := e.sizeOf(writes)
	if size > e.maxSize {
		threshold := int(e.badger.Opts().ValueThreshold)
		var padded []Write
		for _, w := range writes {
			if n := len(w.Value); n >= smallestPadded && n < threshold {
				padded = append(padded, w)
			}
		}
		slices.SortFunc(padded, func(a, b Write) int {
			return cmp.Or(cmp.Compare(len(b.Value), len(a.Value)), byKey(a, b))
		})
		for _, w := range padded {
			before := e.sizeOf(overlay{w.Key: w})
			w.Value = append(w.Value, bytes.Repeat([]byte{' '}, threshold-len(w.Value))...)
			writes[w.Key] = w
			if size += e.sizeOf(overlay{w.Key: w}) - before; size <= e.maxSize {
				break
			}
		}
	}
	if size > e.maxSize || int64(len(writes)) > e.maxCount {
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
