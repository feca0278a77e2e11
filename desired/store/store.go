package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/subscribe"
)

// Store is the database of a node, with a copy of all containers in memory. Its methods may be
// used by any number of goroutines. Its Update, View and DryRun are those of the DB, with
// transactions for containers, ports and volumes.
type Store struct {
	*kv.DB
	options Options
	log     *slog.Logger
	index   index
	changed subscribe.Funcs[string]
	commits subscribe.Funcs[Commit]

	cordon   atomic.Pointer[desired.Cordon]
	cordoned subscribe.Funcs[*desired.Cordon]

	// publishing is held while memory goes from one transaction to the next.
	publishing sync.RWMutex
}

// Open opens the database in dir, which it creates when it does not exist, and reads all
// containers. The caller must Close it. It fails as kv.Open does, and with a *kv.FormatError on
// values of another version of the program.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{options: o, log: o.Database.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	beneath := o.Database
	beneath.OnCommit = s.publish
	var err error
	if s.DB, err = kv.Open(dir, beneath); err != nil {
		return nil, err
	}
	s.options.instance = s.Instance
	if err := s.View(s.loadIndex); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", dir, kv.Damaged("read it", err)), s.Close())
	}
	return s, nil
}

func (s *Store) loadIndex(tx *Tx) error {
	all, err := tx.Containers()
	if err != nil {
		return err
	}
	cordon, err := tx.Cordon()
	if err != nil {
		return err
	}
	s.index.fill(all, snapshotOf(tx.Tx))
	s.cordon.Store(cordon)
	return nil
}

// Rules returns what specs are checked against now.
func (s *Store) Rules() desired.Rules { return s.options.rules() }

// Update runs fn in a transaction; see kv.DB.Update.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	return s.DB.Update(ctx, func(tx *kv.Tx) error {
		// In the committer, and only there, memory is as of the same moment as the transaction.
		return fn(newTx(tx, &s.options, &s.index))
	})
}

// View runs fn on a consistent, read-only view of the database.
func (s *Store) View(fn func(*Tx) error) error {
	return s.DB.View(func(tx *kv.Tx) error { return fn(newTx(tx, &s.options, nil)) })
}

// DryRun runs fn as Update would, with the same refusals, and throws away what it wrote.
// It keeps no writer waiting.
func (s *Store) DryRun(fn func(*Tx) error) error {
	return s.DB.DryRun(func(tx *kv.Tx) error { return fn(newTx(tx, &s.options, nil)) })
}

// publish follows one transaction that was committed: it updates memory, and notifies everybody.
// No later transaction is published before it returns.
func (s *Store) publish(tx *kv.Tx, callbacks func()) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	var written []string
	cordon := false
	if tx.Wrote() {
		cordon = s.publishCordon(tx)
		written = s.index.apply(tx.Written([]byte(containerPrefix)), snapshotOf(tx))
	}
	callbacks()
	for _, id := range written {
		s.guard(func() { s.changed.Notify(id) })
	}
	if cordon {
		s.guard(func() { s.cordoned.Notify(s.Cordon()) })
	}
	if tx.Wrote() {
		s.guard(func() { s.commits.Notify(Commit{Revision: tx.Revision(), Touched: tx.Touched()}) })
	}
}

// guard runs fn; one subscriber that panics keeps no other from being notified.
func (s *Store) guard(fn func()) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic in a subscriber of commits", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn()
}

// Container returns the container of that id as of the last commit.
func (s *Store) Container(id string) (desired.Container, bool) {
	c := s.index.get(id)
	if c == nil {
		return desired.Container{}, false
	}
	return *c, true
}

// Containers returns all containers as of the last commit, sorted by id.
func (s *Store) Containers() []desired.Container { return s.index.with(nil) }

// AtSnapshot runs fn while nothing is published: all that is read in it from memory, here and
// from what callbacks and subscribers keep, is as of this one moment. Writers wait for fn, so
// it must be short, and must neither write nor call AtSnapshot.
func (s *Store) AtSnapshot(fn func(Snapshot)) {
	s.publishing.RLock()
	defer s.publishing.RUnlock()
	fn(s.index.snapshot())
}

// Commit is one transaction that is on disk.
type Commit struct {
	// Revision is its last.
	Revision uint64
	// Touched are the containers that look different, sorted by id.
	Touched []string
}

// RevisionOf returns the revision of the change of Touched[i].
func (c Commit) RevisionOf(i int) uint64 { return c.Revision - uint64(len(c.Touched)-1-i) }

// SubscribeCommits makes the committer call fn with every transaction, one by one in
// their order, when what is read from memory is as of exactly that transaction. fn must
// not block, nor write. It may still be called once while cancel returns.
func (s *Store) SubscribeCommits(fn func(Commit)) (cancel func()) { return s.commits.Add(fn) }

// Subscribe makes the committer call fn with the id of every container that was
// written or removed, after the commit and in its order, when reads show it already.
// fn must not block, nor write. It may still be called once while cancel returns.
func (s *Store) Subscribe(fn func(id string)) (cancel func()) { return s.changed.Add(fn) }
