package kv

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired"
)

const (
	// maxBatch bounds how many writes share one commit, and so how long the first waits.
	maxBatch    = 256
	queueLength = 256
)

// committer is the only one that writes. It groups the writes that queue up while it commits
// into one batch: one flush of the disk serves them all.
type committer struct {
	engine    *engine
	highWater *highWaterMark
	onCommit  func(tx *Tx, callbacks func())
	log       *slog.Logger

	queue   chan *write
	stopped chan struct{} // closed when no write is answered any more

	// All below belongs to the goroutine of run.

	// counters are those of the last commit, or attempt at one.
	counters counters
	// unresolved are the writes of a commit that failed, as long as it is unknown whether it
	// happened.
	unresolved []accepted
}

// write is one call of Update on its way through the committer.
type write struct {
	ctx  context.Context
	fn   func(*Tx) error
	done chan error // has room for the one answer
}

// accepted is a write that waits for the commit.
type accepted struct {
	write *write
	tx    *Tx
}

func newCommitter(e *engine, mark *highWaterMark, found counters, log *slog.Logger) *committer {
	return &committer{
		engine: e, highWater: mark, log: log, counters: found,
		queue: make(chan *write, queueLength), stopped: make(chan struct{}),
	}
}

// update queues fn and waits for its answer; see DB.Update.
func (c *committer) update(ctx context.Context, closing <-chan struct{}, fn func(*Tx) error) error {
	w := &write{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case <-closing:
		return desired.ErrClosed
	default:
	}
	select {
	case c.queue <- w:
	case <-closing:
		return desired.ErrClosed
	case <-ctx.Done():
		return unavailable(ctx)
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return w.answerOr(unavailable(ctx))
	case <-c.stopped:
		return w.answerOr(desired.ErrClosed)
	}
}

// answerOr returns the answer if it has come, else otherwise.
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

// run commits what is queued until closing is closed, and then what is still in the queue.
func (c *committer) run(closing <-chan struct{}) {
	defer close(c.stopped)
	for {
		select {
		case w := <-c.queue:
			c.commitBatch(w)
		case <-closing:
			for w := c.next(); w != nil; w = c.next() {
				c.commitBatch(w)
			}
			return
		}
	}
}

// next returns a write that is queued already, nil when none is.
func (c *committer) next() *write {
	select {
	case w := <-c.queue:
		return w
	default:
		return nil
	}
}

// commitBatch runs first and what has queued up behind it, and commits them together. A batch
// that has no room for the next write is committed before that: what the write has read stays
// true, as nobody else writes.
func (c *committer) commitBatch(first *write) {
	b := c.newBatch()
	defer func() { b.snapshot.Discard() }()
	for w, n := first, 1; w != nil; n++ {
		tx, err := b.run(w)
		if err == nil && !b.fits(tx) {
			err = b.commit()
			b.snapshot.Discard()
			b = c.newBatch()
		}
		if err == nil {
			err = b.add(w, tx)
		}
		if err != nil {
			w.done <- err
		}
		if n == maxBatch {
			break
		}
		w = c.next()
	}
	_ = b.commit() // every writer has been answered with it
}

// dryRun runs fn in tx as a batch would, and returns what would keep its writes from a commit.
func (c *committer) dryRun(tx *Tx, fn func(*Tx) error) error {
	tx.counters.revision++
	if err := c.call(fn, tx); err != nil || !tx.Wrote() {
		return err
	}
	if err := c.engine.fit(tx.own); err != nil {
		return err
	}
	return c.engine.admit(!tx.ordinary, cost{}, c.engine.costOf(tx.own))
}

// resolve finds out whether the commit that failed happened all the same, and publishes it if
// so. Its writers have been answered with an error either way.
func (c *committer) resolve() error {
	if len(c.unresolved) == 0 {
		return nil
	}
	found, err := c.engine.counters()
	if err != nil {
		c.log.Error("read the result of a failed commit", "error", err)
		return fmt.Errorf("read the result of a failed commit: %w: %w", desired.ErrUnavailable, err)
	}
	all := c.unresolved
	c.unresolved = nil
	for _, a := range all {
		if a.tx.Wrote() && a.tx.counters.revision <= found.revision {
			c.publish(a.tx)
		}
	}
	return nil
}

// publish calls OnCommit with one transaction that was committed.
func (c *committer) publish(tx *Tx) {
	callbacks := func() {
		for _, fn := range tx.callbacks {
			c.guard(fn)
		}
	}
	if c.onCommit == nil {
		callbacks()
		return
	}
	c.guard(func() { c.onCommit(tx, callbacks) })
}

// call runs fn, and makes an error of a panic: one bad write must not end all writing.
func (c *committer) call(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic in a transaction", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("transaction panicked: %v", p)
		}
	}()
	return fn(tx)
}

// guard runs fn; the committer outlives a panic in it.
func (c *committer) guard(fn func()) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic after a commit", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn()
}

// batch is the writes that one commit carries.
type batch struct {
	committer *committer
	snapshot  *badger.Txn
	// refusal, unless nil, answers all writes: nothing may be written now.
	refusal  error
	counters counters
	writes   overlay
	size     int64 // of writes, as is cost
	cost     cost
	accepted []accepted
}

func (c *committer) newBatch() *batch {
	return &batch{
		committer: c, refusal: c.resolve(), // before the snapshot, which must show what is resolved
		snapshot: c.engine.badger.NewTransaction(false), counters: c.counters, writes: overlay{},
	}
}

// run runs one write against the batch so far. What it wrote is not part of the batch yet.
func (b *batch) run(w *write) (*Tx, error) {
	if w.ctx.Err() != nil {
		return nil, unavailable(w.ctx)
	}
	if b.refusal != nil {
		return nil, b.refusal
	}
	tx := &Tx{snapshot: b.snapshot, base: b.writes, own: overlay{}, now: now(), counters: b.counters}
	tx.counters.revision++
	if err := b.committer.call(w.fn, tx); err != nil {
		return nil, err
	}
	return tx, b.committer.engine.fit(tx.own)
}

// fits reports whether the commit of the batch can hold what tx wrote as well.
func (b *batch) fits(tx *Tx) bool {
	e := b.committer.engine
	return b.size+e.sizeOf(tx.own) <= e.maxSize && int64(len(b.writes)+len(tx.own)) <= e.maxCount
}

// add makes what tx wrote part of the batch, unless the disk has no room for it.
func (b *batch) add(w *write, tx *Tx) error {
	if tx.Wrote() {
		more := b.committer.engine.costOf(tx.own)
		if err := b.committer.engine.admit(!tx.ordinary, b.cost, more); err != nil {
			return err
		}
		tx.takeRevisions()
		maps.Copy(b.writes, tx.own)
		b.size += b.committer.engine.sizeOf(tx.own)
		b.cost = b.cost.plus(more)
		b.counters = tx.counters
	}
	b.accepted = append(b.accepted, accepted{w, tx})
	return nil
}

// commit puts the batch on disk, publishes it, and answers the writers.
func (b *batch) commit() error {
	c := b.committer
	err := b.persist()
	if err != nil {
		c.log.Error("commit to the database", "writes", len(b.writes), "error", err)
		err = fmt.Errorf("commit: %w: %w", desired.ErrUnavailable, err)
		c.unresolved = b.accepted
		_ = c.resolve() // if it cannot be, then before the next batch
	} else {
		b.acknowledge()
	}
	// Numbers of a commit that failed are never given out again: it may have happened.
	c.counters = b.counters
	for _, a := range b.accepted {
		a.write.done <- err
	}
	b.accepted = nil
	return err
}

// persist returns once the batch is on disk, with the counters and the checksum that it leads to.
func (b *batch) persist() error {
	if len(b.writes) == 0 {
		return nil
	}
	before, err := openTx(b.snapshot, true)
	if err != nil {
		return err
	}
	change, err := sumChange(b.snapshot, b.writes)
	if err != nil {
		return err
	}
	b.counters.sum = before.counters.sum + change
	key := string(countersKey)
	b.writes[key] = Write{Key: key, Value: b.counters.encode()}
	return b.committer.engine.put(b.writes)
}

// acknowledge raises the high-water mark, before anybody learns of the commit, and publishes it.
func (b *batch) acknowledge() {
	c := b.committer
	if len(b.writes) > 0 {
		if err := c.highWater.note(b.counters.revision); err != nil {
			c.log.Warn("raise the high-water mark", "error", err)
		}
	}
	for _, a := range b.accepted {
		c.publish(a.tx)
	}
}
