package kv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired"
)

// Options tunes a DB. The zero value of a field is its default.
type Options struct {
	// OnCommit, unless nil, is called for each transaction whose writes are on disk, or that
	// wrote nothing, in the order of commits and before its writer is answered. callbacks calls
	// what was left with Tx.AfterCommit; without OnCommit nothing but that happens. tx is for
	// what the transaction wrote (Written, Touched, Revision), no longer for reading. OnCommit
	// must not block, nor call the database's writing methods.
	OnCommit func(tx *Tx, callbacks func())
	// MinFree is the free space in bytes below which the disk is full (default 64 MiB): only
	// essential writes are taken then; see Tx.SetEssential. Below four times as much it is low.
	MinFree uint64
	// Reserve keeps disk space for what is written on a full disk. Without it that needs 48 MiB
	// free.
	Reserve bool
	// FreeSpace returns the free bytes of the file system that holds a directory
	// (default: statfs).
	FreeSpace func(dir string) (uint64, error)
	// Log receives errors and warnings (default: nothing).
	Log *slog.Logger
	// Commit, unless nil, is called for each commit with what makes it: a test has it fail, or
	// take its time.
	Commit func(commit func() error) error

	// tune changes how Badger is sized; for tests.
	tune func(badger.Options) badger.Options
}

const (
	defaultMinFree = 64 << 20
	// numbersSkipped is how far numbers jump when it is not known which were given out.
	numbersSkipped = 1 << 20
)

// DB is the database. Its methods may be used by any number of goroutines.
type DB struct {
	dir       string
	log       *slog.Logger
	lock      *os.File
	disk      *disk
	engine    *engine
	highWater *highWaterMark
	committer *committer
	instance  string

	closing chan struct{} // closed when no write is taken any more
	running sync.WaitGroup

	// mu keeps readers of the database and its closing apart.
	mu     sync.RWMutex
	closed bool
}

// Open opens the database in dir, which it creates when it does not exist. The caller
// must Close it. It fails with a *FormatError where a newer version of the program wrote it, which
// then stays as it is, with a *LockedError where another process has the database open, with
// a *desired.DiskFullError where there is no room to open it, and with a *DamagedError where it
// does not hold all that was acknowledged.
func Open(dir string, o Options) (*DB, error) {
	if o.MinFree == 0 {
		o.MinFree = defaultMinFree
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if _, err := FormatOf(dir); err != nil {
		return nil, fmt.Errorf("open database: %w", Damaged("its format is unknown", err))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create database directory %s: %w", dir, err)
	}
	lock, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	space := &spaceMonitor{dir: dir, minFree: o.MinFree, freeSpace: o.FreeSpace, space: Space{Mount: mountPoint(dir)}}
	db := &DB{
		dir: dir, log: o.Log, lock: lock,
		disk:    &disk{dir: dir, log: o.Log, space: space},
		closing: make(chan struct{}),
	}
	if err := db.start(o); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", dir, err), lock.Close())
	}
	return db, nil
}

// start opens Badger, verifies what it holds, and starts the goroutines.
func (db *DB) start(o Options) error {
	if err := db.disk.makeRoom(o.Reserve); err != nil {
		return err
	}
	tuned := tuning(db.dir, db.log)
	if o.tune != nil {
		tuned = o.tune(tuned)
	}
	if err := verifyTables(db.dir, tuned); err != nil {
		return err
	}
	var err error
	if db.engine, err = openEngine(tuned, db.disk, db.log); err != nil {
		return err
	}
	db.engine.commit = o.Commit
	counters, err := db.load()
	if err != nil {
		return errors.Join(err, db.engine.badger.Close())
	}
	if o.Reserve {
		if db.disk.reserve, err = openReserve(db.dir, db.engine.badger.Opts(), db.log); err != nil {
			db.log.Warn("no space reserved for a full disk", "database", db.dir, "error", err)
		}
		db.disk.reserve.restore(db.Space().Free, o.MinFree)
	}
	db.committer = newCommitter(db.engine, db.highWater, counters, db.log)
	db.committer.onCommit = o.OnCommit
	db.running.Go(func() { db.disk.watch(db.closing) })
	db.running.Go(func() { db.committer.run(db.closing) })
	db.running.Go(func() { db.engine.compactor.collectGarbage(db.closing) })
	db.running.Go(func() { db.engine.compactor.compact(db.closing) })
	return nil
}

var instanceKey = []byte("m/instance")

// load compares the database with what was acknowledged, gives a new one its identity, and
// returns its counters.
func (db *DB) load() (_ counters, err error) {
	mark, acknowledged, err := openHighWaterMark(db.dir)
	if err != nil {
		return counters{}, fmt.Errorf("open high-water mark: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, mark.close())
		}
	}()
	db.highWater = mark
	if err := db.verify(acknowledged); err != nil {
		return counters{}, err
	}
	// Earlier versions kept there the commit that was being made.
	_ = os.Remove(filepath.Join(db.dir, "underway"))
	var found counters
	err = db.View(func(tx *Tx) error {
		found = tx.counters
		id, err := tx.Get(instanceKey)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		db.instance = string(id)
		return nil
	})
	if err != nil {
		return counters{}, Damaged("read it", err)
	}
	if err := recordFormat(db.dir); err != nil {
		return counters{}, err
	}
	if db.instance == "" || acknowledged == 0 {
		if found, err = db.initHighWater(found); err != nil {
			return counters{}, err
		}
	}
	return found, mark.note(found.revision)
}

// verify refuses a database that lacks something of what was acknowledged. One without a
// high-water mark is taken as it is.
func (db *DB) verify(acknowledged uint64) error {
	if acknowledged == 0 {
		return nil
	}
	left := filepath.Join(db.dir, highWaterName)
	return db.View(func(tx *Tx) error {
		sum, err := sumAll(tx.snapshot)
		switch {
		case err != nil:
			return damagedLeaving(left, "a record cannot be read", err)
		case tx.counters.revision < acknowledged:
			return &DamagedError{Left: left, What: fmt.Sprintf("it ends at revision %d, and writes up to %d were acknowledged (was it copied while lightd ran?)",
				tx.counters.revision, acknowledged)}
		case tx.counters.sum != sum:
			return &DamagedError{Left: left, What: "records are missing or altered"}
		}
		return nil
	})
}

// initHighWater gives a new database its identity, and takes an earlier one as it is, without the records
// that are lost. Of the numbers that it may have given out none is given out again.
func (db *DB) initHighWater(found counters) (counters, error) {
	if found.revision > 0 {
		db.log.Warn("high-water mark missing; trusting database", "database", db.dir, "revision", found.revision)
		found.revision += numbersSkipped
		found.seq += numbersSkipped
		if err := db.dropLost(); err != nil {
			return counters{}, err
		}
	}
	if db.instance == "" {
		db.instance = NewUUID()
	}
	err := db.engine.badger.Update(func(txn *badger.Txn) error {
		if err := txn.Set(instanceKey, stored([]byte(db.instance))); err != nil {
			return err
		}
		var err error
		if found.sum, err = sumAll(txn); err != nil {
			return err
		}
		return txn.Set(countersKey, stored(found.encode()))
	})
	return found, err
}

// Close takes no more writes, finishes those that were queued, and closes the database.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	db.mu.Unlock()
	close(db.closing)
	db.running.Wait()
	var err error
	if db.disk.closable() {
		err = db.engine.badger.Close()
	} else {
		db.log.Warn("disk full; database left as after a crash", "database", db.dir)
	}
	err = errors.Join(err, db.highWater.close())
	if err != nil {
		err = fmt.Errorf("close database %s: %w", db.dir, err)
	}
	return errors.Join(err, db.lock.Close())
}

// Instance is the UUID of this database, made when it was first opened.
func (db *DB) Instance() string { return db.instance }

// RenewInstance gives the database another identity, as if it were new. Nobody else may use the
// DB meanwhile.
func (db *DB) RenewInstance(ctx context.Context) error {
	id := NewUUID()
	if err := db.Update(ctx, func(tx *Tx) error { return tx.SetEssential(instanceKey, []byte(id)) }); err != nil {
		return fmt.Errorf("renew the instance id: %w", err)
	}
	db.instance = id
	return nil
}

// Ping returns an error unless the committer answers.
func (db *DB) Ping(ctx context.Context) error {
	return db.Update(ctx, func(*Tx) error { return nil })
}

// Queued returns how many writes wait for the committer.
func (db *DB) Queued() int { return len(db.committer.queue) }

// Space returns what is left on the disk as of the last measurement.
func (db *DB) Space() Space { return db.disk.space.current() }

// SubscribeSpace calls fn when the level has changed, or whether the reserve is exhausted. fn
// must not block, nor write.
func (db *DB) SubscribeSpace(fn func(Space)) (cancel func()) { return db.disk.space.changed.Add(fn) }

// CheckSpace returns a *desired.DiskFullError when too little space is left for an ordinary
// write.
func (db *DB) CheckSpace() error { return db.disk.check() }

// Update runs fn in a transaction, alone among all writers, and returns nil once what
// it wrote is on disk. An error of fn, or a panic in it, drops what it wrote and is
// returned. When ctx ends first the answer is desired.ErrUnavailable, and whether the
// write happened is unknown; a write whose turn had not come by then does not happen.
// fn must not block, must not call the database's own methods, and must return. Values of a very
// large transaction may get spaces at their end.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	return db.committer.update(ctx, db.closing, fn)
}

// View runs fn on a consistent, read-only view of the database.
func (db *DB) View(fn func(*Tx) error) error { return db.read(true, fn) }

// DryRun runs fn as Update would, with the same refusals, and throws away what it wrote.
// It keeps no writer waiting.
func (db *DB) DryRun(fn func(*Tx) error) error {
	return db.read(false, func(tx *Tx) error { return db.committer.dryRun(tx, fn) })
}

func (db *DB) read(readOnly bool, fn func(*Tx) error) error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return desired.ErrClosed
	}
	snapshot := db.engine.badger.NewTransaction(false)
	defer snapshot.Discard()
	tx, err := openTx(snapshot, readOnly)
	if err != nil {
		return err
	}
	return fn(tx)
}

// NewUUID returns a random UUID (version 4) in lower case.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
