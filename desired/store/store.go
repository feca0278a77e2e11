package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"lightd/desired"
	"lightd/desired/subscribe"
)

// Options tunes a Store. The zero value of a field is its default.
type Options struct {
	// Rules are what specs are checked against.
	Rules desired.Rules
	// AllowedMounts, unless nil, returns those of Rules as of now.
	AllowedMounts func() []string
	// CheckMounts looks at the host for the mounts of a spec whenever they change; nil
	// looks at nothing. It runs in the committer and so must answer fast.
	CheckMounts func(desired.Spec) error
	// Reserved are endpoints that never go to a container: the daemon's own listener.
	Reserved []desired.Endpoint
	// MinFree is the free space in bytes below which the disk is full (default 64 MiB): only what
	// frees space or powers off, statuses and events are written then. Below four times as much
	// it is low.
	MinFree uint64
	// Reserve keeps disk space for what is written on a full disk. Without it that needs 48 MiB
	// free.
	Reserve bool
	// FreeSpace returns the free bytes of the file system that holds a directory
	// (default: statfs).
	FreeSpace func(dir string) (uint64, error)
	// Log receives what the database beneath complains of (default: nothing).
	Log *slog.Logger

	// tune changes how the database beneath is sized; for tests.
	tune func(badger.Options) badger.Options
	// Commit, unless nil, is called for each commit with what makes it: a test has it fail, or
	// take its time.
	Commit func(commit func() error) error
}

const (
	defaultMinFree = 64 << 20
	// beyond is how far numbers jump when it is not known which were given out.
	beyond      = 1 << 20
	queueLength = 256
)

// Store is the database. Its methods may be used by any number of goroutines.
type Store struct {
	dir       string
	options   Options
	log       *slog.Logger
	instance  string
	db        *badger.DB
	lock      *os.File
	highWater *highWaterMark
	index     index
	changed   subscribe.Funcs[string]
	commits   subscribe.Funcs[Commit]
	reserve   *reserve

	spaceMu      sync.Mutex
	space        Space // guarded by spaceMu
	spaceChanged subscribe.Funcs[Space]

	// publishing is held while memory goes from one transaction to the next.
	publishing sync.RWMutex

	queue   chan *write
	written chan struct{} // has something in it when compact must look again
	closing chan struct{} // closed when no write is taken any more
	stopped chan struct{} // closed when the committer is gone
	gone    sync.WaitGroup
	// counters belong to the committer, and so does forgetful: true when memory may have
	// missed a commit, so that transactions read from the database.
	counters   counters
	indexStale bool
	maxSize    int64
	maxCount   int64

	// mu keeps readers of the database and its closing apart.
	mu     sync.RWMutex
	closed bool
}

// Open opens the database in dir, which it creates when it is not there. The caller
// must Close it. Another process that has it open makes a *LockedError, values of
// another version of the program a *FormatError, and one that does not hold all that was
// acknowledged a *DamagedError.
func Open(dir string, o Options) (*Store, error) {
	if o.MinFree == 0 {
		o.MinFree = defaultMinFree
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create database directory %s: %w", dir, err)
	}
	lock, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		dir: dir, options: o, log: o.Log, lock: lock,
		queue:   make(chan *write, queueLength),
		written: make(chan struct{}, 1),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", dir, err), lock.Close())
	}
	return s, nil
}

// start opens what is beneath, loads what is held in memory, and starts the goroutines.
func (s *Store) start() error {
	s.space.Mount = mountPoint(s.dir)
	if err := s.openSpace(); err != nil {
		return err
	}
	o := s.tuning()
	if err := verifyTables(s.dir, o); err != nil {
		return err
	}
	db, err := badger.Open(o)
	if err != nil {
		return damaged("its files do not fit together", err)
	}
	s.db = db
	// Less than the database's own bound, which also counts what it adds itself.
	s.maxSize, s.maxCount = db.MaxBatchSize()-64<<10, db.MaxBatchCount()-16
	if err := s.load(); err != nil {
		return errors.Join(err, db.Close())
	}
	if s.options.Reserve {
		if s.reserve, err = openReserve(s.dir, s.db.Opts(), s.log); err != nil {
			s.log.Warn("space for a full disk is not reserved", "database", s.dir, "error", err)
		}
		s.reserve.restore(s.Space().Free, s.options.MinFree)
	}
	s.gone.Go(s.watchSpace)
	s.gone.Go(s.commitWrites)
	s.gone.Go(s.collectGarbage)
	s.gone.Go(s.compact)
	return nil
}

// tuning sizes the database for a small daemon: a few thousand records of a few KiB.
// The memtable decides how much one transaction can hold: 15 percent of it in small
// values, any number of larger ones.
func (s *Store) tuning() badger.Options {
	o := badger.DefaultOptions(s.dir).
		WithSyncWrites(true).
		WithMemTableSize(32 << 20).
		WithNumMemtables(2).
		WithNumLevelZeroTables(1).
		WithNumLevelZeroTablesStall(6).
		WithNumCompactors(0). // see compact
		WithValueThreshold(1 << 10).
		WithValueLogFileSize(64 << 20).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithCompression(options.None).
		WithMetricsEnabled(false).
		WithVerifyValueChecksum(true).
		WithDetectConflicts(false). // there is one writer
		WithLogger(dbLog{s.log})
	if s.options.tune != nil {
		o = s.options.tune(o)
	}
	return o
}

var instanceKey = []byte("m/instance")

// load reads what is held in memory, holds the database against what was acknowledged, and
// gives a new one its identity.
func (s *Store) load() (err error) {
	ledger, promised, err := openHighWaterMark(s.dir)
	if err != nil {
		return fmt.Errorf("open what was acknowledged: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ledger.close())
		}
	}()
	if err := s.verify(promised); err != nil {
		return err
	}
	s.highWater = ledger
	// Revisions before wrote there what a daemon might die in the midst of.
	_ = os.Remove(filepath.Join(s.dir, "underway"))
	err = s.View(func(tx *Tx) error {
		s.counters = tx.counters
		id, err := tx.Get(instanceKey)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		s.instance = string(id)
		all, err := tx.Containers()
		if err != nil {
			return err
		}
		s.index.fill(all, tx.counters)
		return nil
	})
	if err != nil {
		return damaged("read it", err)
	}
	if s.instance == "" || promised == 0 {
		if err := s.initHighWater(); err != nil {
			return err
		}
	}
	return ledger.note(s.counters.revision)
}

// verify refuses a database that lacks something of what was acknowledged. One of which it
// is not known what that was, which has no ledger, is taken as it is.
func (s *Store) verify(promised uint64) error {
	if promised == 0 {
		return nil
	}
	left := filepath.Join(s.dir, acknowledged)
	return s.View(func(tx *Tx) error {
		sum, err := sumAll(tx.snapshot)
		switch {
		case err != nil:
			return &DamagedError{What: "a record cannot be read", Left: left, Err: err}
		case tx.counters.revision < promised:
			return &DamagedError{Left: left, What: fmt.Sprintf("it ends at revision %d, and writes up to %d were acknowledged (was it copied while lightd ran?)",
				tx.counters.revision, promised)}
		case tx.counters.sum != sum:
			return &DamagedError{Left: left, What: "records are missing or altered"}
		}
		return nil
	})
}

// initHighWater gives a new database its identity, and takes one that was there before as it is. Of
// the numbers that it may have given out none is given out again.
func (s *Store) initHighWater() error {
	if s.counters.revision > 0 {
		s.log.Warn("high-water mark missing; trusting database", "database", s.dir,
			"revision", s.counters.revision)
		s.counters.revision += beyond
		s.counters.seq += beyond
	}
	if s.instance == "" {
		s.instance = newUUID()
	}
	return s.db.Update(func(txn *badger.Txn) error {
		if err := txn.Set(instanceKey, stored([]byte(s.instance))); err != nil {
			return err
		}
		var err error
		if s.counters.sum, err = sumAll(txn); err != nil {
			return err
		}
		return txn.Set(countersKey, stored(s.counters.encode()))
	})
}

// Close takes no more writes, finishes those that were queued, and closes the database.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	s.gone.Wait()
	var err error
	if s.closable() {
		err = s.db.Close()
	} else {
		s.log.Warn("the disk is full; the database is left as after a crash", "database", s.dir)
	}
	err = errors.Join(err, s.highWater.close())
	if err != nil {
		err = fmt.Errorf("close database %s: %w", s.dir, err)
	}
	return errors.Join(err, s.lock.Close())
}

// Instance is the UUID of this database, made when it was first opened.
func (s *Store) Instance() string { return s.instance }

// RenewInstance gives the database another identity, as if it were new. Nobody else may use the
// Store meanwhile.
func (s *Store) RenewInstance(ctx context.Context) error {
	id := newUUID()
	if err := s.Update(ctx, func(tx *Tx) error { return tx.SetEssential(instanceKey, []byte(id)) }); err != nil {
		return fmt.Errorf("renew the instance id: %w", err)
	}
	s.instance = id
	return nil
}

// Ping reports whether the committer answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.Update(ctx, func(*Tx) error { return nil })
}

// View runs fn on a consistent, read-only view of the database.
func (s *Store) View(fn func(*Tx) error) error { return s.read(true, fn) }

// DryRun runs fn as Update would, with the same refusals, and throws away what it wrote.
// It keeps no writer waiting.
func (s *Store) DryRun(fn func(*Tx) error) error {
	return s.read(false, func(tx *Tx) error {
		if err := s.call(fn, tx); err != nil || len(tx.own) == 0 {
			return err
		}
		if err := s.admit(!tx.ordinary, cost{}, s.costOf(tx.own)); err != nil {
			return err
		}
		_, err := s.measure(tx)
		return err
	})
}

func (s *Store) read(readOnly bool, fn func(*Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return desired.ErrClosed
	}
	snapshot := s.db.NewTransaction(false)
	defer snapshot.Discard()
	tx, err := s.beginTx(snapshot, readOnly)
	if err != nil {
		return err
	}
	if !readOnly {
		tx.counters.revision++
	}
	return fn(tx)
}

// beginTx returns a transaction on what is on disk.
func (s *Store) beginTx(snapshot *badger.Txn, readOnly bool) (*Tx, error) {
	tx := &Tx{store: s, snapshot: snapshot, own: overlay{}, readOnly: readOnly, now: now()}
	data, err := tx.Get(countersKey)
	if errors.Is(err, ErrNotFound) {
		return tx, nil
	}
	if err == nil {
		tx.counters, err = decodeCounters(data)
	}
	return tx, err
}

// now returns the present time as it will be read back from disk.
func now() time.Time { return time.Now().Round(0).UTC() }

// newUUID returns a random UUID (version 4) in lower case.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// dbLog passes on the database's warnings and errors, and drops its chatter.
type dbLog struct{ log *slog.Logger }

func (l dbLog) Errorf(format string, args ...any) {
	l.log.Error("database", "message", fmt.Sprintf(format, args...))
}

func (l dbLog) Warningf(format string, args ...any) {
	l.log.Warn("database", "message", fmt.Sprintf(format, args...))
}

func (dbLog) Infof(string, ...any) {}

func (dbLog) Debugf(string, ...any) {}
