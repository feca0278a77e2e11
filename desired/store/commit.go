package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired"
)

// maxBatch bounds how many writes share one commit, and so how long the first waits.
const maxBatch = 256

// write is one call of Update on its way through the committer.
type write struct {
	ctx  context.Context
	fn   func(*Tx) error
	done chan error // has room for the one answer
}

// Update runs fn in a transaction, alone among all writers, and returns nil once what
// it wrote is on disk. An error of fn, or a panic in it, drops what it wrote and is
// returned. When ctx ends first the answer is desired.ErrUnavailable, and whether the
// write happened is unknown; a write whose turn had not come by then does not happen.
// fn must not block, must not call the store's own methods, and must return.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	w := &write{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case <-s.closing:
		return desired.ErrClosed
	default:
	}
	select {
	case s.queue <- w:
	case <-s.closing:
		return desired.ErrClosed
	case <-ctx.Done():
		return unavailable(ctx)
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return w.answerOr(unavailable(ctx))
	case <-s.stopped:
		return w.answerOr(desired.ErrClosed)
	}
}

// answerOr returns the answer when there is one, else otherwise.
func (w *write) answerOr(otherwise error) error {
	select {
	case err := <-w.done:
		return err
	default:
		return otherwise
	}
}

func unavailable(ctx context.Context) error {
	return fmt.Errorf("write to the database: %w: %w", desired.ErrUnavailable, context.Cause(ctx))
}

// commitWrites is the committer: the only goroutine that writes.
func (s *Store) commitWrites() {
	defer close(s.stopped)
	for {
		select {
		case w := <-s.queue:
			s.commitBatch(w)
		case <-s.closing:
			for w := s.next(); w != nil; w = s.next() {
				s.commitBatch(w)
			}
			return
		}
	}
}

// next returns a write that is queued already, nil when none is.
func (s *Store) next() *write {
	select {
	case w := <-s.queue:
		return w
	default:
		return nil
	}
}

// commitBatch runs first and what has queued up behind it, and commits them together:
// one flush of the disk serves them all.
func (s *Store) commitBatch(first *write) {
	b := &batch{store: s}
	b.begin()
	defer func() { b.snapshot.Discard() }()
	for w, n := first, 1; w != nil; n++ {
		b.run(w)
		if n == maxBatch {
			break
		}
		w = s.next()
	}
	_ = b.commit() // every writer has been answered with it
}

// batch is the writes that one commit carries.
type batch struct {
	store    *Store
	snapshot *badger.Txn
	counters counters
	cost     cost // of writes
	writes   overlay
	size     int64
	accepted []accepted
	// containers are the records among writes.
	containers map[string]*desired.Container
}

// accepted is a write that waits for the commit.
type accepted struct {
	write *write
	tx    *Tx
}

func (b *batch) begin() {
	b.snapshot = b.store.db.NewTransaction(false)
	b.counters = b.store.counters
	b.writes, b.size, b.cost, b.accepted = overlay{}, 0, cost{}, nil
	b.containers = map[string]*desired.Container{}
}

// run runs one write against the batch so far, and answers it unless it is accepted.
func (b *batch) run(w *write) {
	if w.ctx.Err() != nil {
		w.done <- unavailable(w.ctx)
		return
	}
	tx := &Tx{store: b.store, snapshot: b.snapshot, base: b.writes, own: overlay{}, now: now(), counters: b.counters}
	tx.counters.revision++
	if !b.store.indexStale {
		tx.memory, tx.earlier = &b.store.index, b.containers
	}
	if err := b.store.call(w.fn, tx); err != nil {
		w.done <- err
		return
	}
	if err := b.merge(tx); err != nil {
		w.done <- err
		return
	}
	b.accepted = append(b.accepted, accepted{w, tx})
}

// merge adds what tx wrote to the batch. When the batch has no room for it the batch is
// committed first: what tx has read stays true, as nobody else writes.
func (b *batch) merge(tx *Tx) error {
	if len(tx.own) == 0 {
		return nil
	}
	more := b.store.costOf(tx.own)
	if err := b.store.admit(!tx.ordinary, b.cost, more); err != nil {
		return err
	}
	size, err := b.store.measure(tx)
	if err != nil {
		return err
	}
	if b.size+size > b.store.maxSize || int64(len(b.writes)+len(tx.own)) > b.store.maxCount {
		err := b.commit()
		b.snapshot.Discard()
		b.begin()
		if err = errors.Join(err, b.store.admit(!tx.ordinary, b.cost, more)); err != nil {
			return err
		}
	}
	tx.number()
	maps.Copy(b.writes, tx.own)
	maps.Copy(b.containers, tx.containers)
	b.size += size
	b.cost = b.cost.plus(more)
	b.counters = tx.counters
	return nil
}

// measure returns how much tx wrote, or ErrTooLarge when no commit can hold that.
func (s *Store) measure(tx *Tx) (int64, error) {
	size := tx.own.size()
	if size > s.maxSize || int64(len(tx.own)) > s.maxCount {
		return 0, fmt.Errorf("%w: %d writes of %d bytes", desired.ErrTooLarge, len(tx.own), size)
	}
	return size, nil
}

// commit puts the batch on disk, lets the world know, and answers the writers.
func (b *batch) commit() error {
	err := b.persist()
	if err != nil {
		b.store.log.Error("commit to the database", "writes", len(b.writes), "error", err)
		err = fmt.Errorf("commit: %w: %w", desired.ErrUnavailable, err)
		b.store.reloadIndex(b.accepted)
	} else {
		b.store.committed(b.counters.revision, b.accepted)
	}
	// Numbers of a commit that failed are never given out again: it may have happened.
	b.store.counters = b.counters
	for _, a := range b.accepted {
		a.write.done <- err
	}
	b.accepted = nil
	return err
}

func (b *batch) persist() error {
	if len(b.writes) == 0 {
		return nil
	}
	before, err := b.store.beginTx(b.snapshot, true)
	if err != nil {
		return err
	}
	sum, err := sumAfter(b.snapshot, b.writes)
	if err != nil {
		return err
	}
	b.counters.sum = before.counters.sum + sum
	b.writes[string(countersKey)] = b.counters.encode()
	return b.store.put(b.writes)
}

func (s *Store) costOf(o overlay) cost { return costOf(o, s.db.Opts().ValueThreshold) }

// put returns once writes are on disk, all or none.
func (s *Store) put(writes overlay) error {
	txn := s.db.NewTransaction(true)
	defer txn.Discard()
	for k, v := range writes {
		var err error
		if v == nil {
			err = txn.Delete([]byte(k))
		} else {
			err = txn.Set([]byte(k), stored(v))
		}
		if err != nil {
			return fmt.Errorf("write %q: %w", k, err)
		}
	}
	defer s.wake()
	defer s.reserve.account(s.costOf(writes))
	if s.options.Commit != nil {
		return s.options.Commit(txn.Commit)
	}
	return txn.Commit()
}

// committed notes that what was accepted is on disk up to a revision, before anybody is told, and
// lets the world know.
func (s *Store) committed(revision uint64, all []accepted) {
	if slices.ContainsFunc(all, func(a accepted) bool { return len(a.tx.own) > 0 }) {
		if err := s.highWater.note(revision); err != nil {
			s.log.Warn("note what was acknowledged", "error", err)
		}
	}
	for _, a := range all {
		s.updateIndex(a.tx)
	}
}

// size is at least what the database will count for o.
func (o overlay) size() int64 {
	const entry, threshold, pointer = 16, 1 << 10, 16
	var n int64
	for k, v := range o {
		n += int64(len(k)) + entry
		if len(v) < threshold {
			n += int64(len(v)) + 1
		} else {
			n += pointer
		}
	}
	return n
}

// updateIndex brings memory up to date with one transaction that was committed, and tells
// everybody of it: whoever is told sees no later one yet.
func (s *Store) updateIndex(tx *Tx) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if len(tx.own) > 0 {
		s.index.apply(tx.containers, tx.counters)
	}
	for _, hook := range tx.hooks {
		s.guard("hook", hook)
	}
	s.notify(tx)
}

func (s *Store) notify(tx *Tx) {
	for _, id := range slices.Sorted(maps.Keys(tx.containers)) {
		s.guard("subscriber", func() { s.changed.Tell(id) })
	}
	if len(tx.own) > 0 {
		commit := Commit{Revision: tx.counters.revision, Touched: slices.Sorted(maps.Keys(tx.touched))}
		s.guard("subscriber", func() { s.commits.Tell(commit) })
	}
}

// reloadIndex brings memory up to date with a commit that failed and has happened after all. Its
// writers get an error all the same.
func (s *Store) reloadIndex(all []accepted) {
	snapshot := s.db.NewTransaction(false)
	defer snapshot.Discard()
	stored, err := s.beginTx(snapshot, true)
	if err != nil {
		s.log.Error("reload index after failed commit", "error", err)
		s.indexStale = true
		return
	}
	for _, a := range all {
		if len(a.tx.own) > 0 && a.tx.counters.revision <= stored.counters.revision {
			s.updateIndex(a.tx)
		}
	}
}

// call runs fn, and makes an error of a panic: one bad write must not end all writing.
func (s *Store) call(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic in a transaction", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("transaction panicked: %v", p)
		}
	}()
	return fn(tx)
}

// guard runs fn; the committer outlives a panic in it.
func (s *Store) guard(what string, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic after a commit", "in", what, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn()
}
