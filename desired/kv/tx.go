package kv

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired"
)

// ErrNotFound answers Get for a key that does not exist.
var ErrNotFound = errors.New("key not found")

// errReadOnly answers a write in a View.
var errReadOnly = errors.New("write in a read-only transaction")

// Tx is one transaction: reads see the database as of one instant plus its own writes.
// It is valid only inside the function that it was given to, on that goroutine.
type Tx struct {
	snapshot *badger.Txn
	// base are the writes of earlier transactions of the same batch, own those of
	// this one. base is nil outside the committer.
	base, own overlay
	readOnly  bool
	// ordinary is true once something was written that must not use the reserve of a full disk.
	ordinary bool
	now      time.Time
	counters counters
	touched  map[string]struct{} // see Touch
	// callbacks are called after the commit; see AfterCommit.
	callbacks []func()
}

// Write is one key that a transaction writes.
type Write struct {
	Key string
	// Value is nil for a deletion, and only then.
	Value []byte
	// Object is what was attached to the write.
	Object any
}

// overlay holds writes that are not in the database yet.
type overlay map[string]Write

func byKey(a, b Write) int { return strings.Compare(a.Key, b.Key) }

// under returns the writes whose keys begin with prefix, in no order.
func (o overlay) under(prefix []byte) []Write {
	var out []Write
	for k, w := range o {
		if strings.HasPrefix(k, string(prefix)) {
			out = append(out, w)
		}
	}
	return out
}

// openTx returns a transaction on what snapshot shows.
func openTx(snapshot *badger.Txn, readOnly bool) (*Tx, error) {
	tx := &Tx{snapshot: snapshot, own: overlay{}, readOnly: readOnly, now: now()}
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

// Get returns the value of key, which the caller may keep, or ErrNotFound.
func (tx *Tx) Get(key []byte) ([]byte, error) {
	if w, ok := tx.Pending(key); ok {
		if w.Value == nil {
			return nil, ErrNotFound
		}
		return bytes.Clone(w.Value), nil
	}
	item, err := tx.snapshot.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w: %w", key, desired.ErrUnavailable, err)
	}
	return valueOf(item)
}

// Set writes key. Both slices are copied. On a full disk the transaction fails with it.
func (tx *Tx) Set(key, value []byte) error {
	tx.ordinary = true
	return tx.SetEssential(key, value)
}

// SetEssential is Set for what is written on a full disk too: what frees space or powers off,
// and what is recorded of that. So is every deletion.
func (tx *Tx) SetEssential(key, value []byte) error {
	if tx.readOnly {
		return fmt.Errorf("set %q: %w", key, errReadOnly)
	}
	k := string(key)
	tx.own[k] = Write{Key: k, Value: append(make([]byte, 0, len(value)), value...)} // never nil
	return nil
}

// Delete removes key; a key that does not exist is no error.
func (tx *Tx) Delete(key []byte) error {
	if tx.readOnly {
		return fmt.Errorf("delete %q: %w", key, errReadOnly)
	}
	k := string(key)
	tx.own[k] = Write{Key: k}
	return nil
}

// Attach keeps object, what the value of key stands for, with the write of key by this
// transaction: later transactions of the same batch and OnCommit get it from there instead of
// decoding the value. It is shared and read-only from then on.
func (tx *Tx) Attach(key []byte, object any) {
	if w, ok := tx.own[string(key)]; ok {
		w.Object = object
		tx.own[w.Key] = w
	}
}

// Pending returns the write of key that this transaction sees and that is not on disk yet.
func (tx *Tx) Pending(key []byte) (w Write, ok bool) {
	if w, ok = tx.own[string(key)]; !ok {
		w, ok = tx.base[string(key)]
	}
	return w, ok
}

// PendingUnder returns all such writes of keys that begin with prefix, in order of keys. They
// are shared and read-only.
func (tx *Tx) PendingUnder(prefix []byte) []Write {
	out := tx.own.under(prefix)
	for _, w := range tx.base.under(prefix) {
		if _, replaced := tx.own[w.Key]; !replaced {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, byKey)
	return out
}

// Written returns what this transaction itself writes to keys that begin with prefix, in order
// of keys.
func (tx *Tx) Written(prefix []byte) []Write {
	out := tx.own.under(prefix)
	slices.SortFunc(out, byKey)
	return out
}

// Scan calls fn with the keys that begin with prefix, in order, beginning with the
// first that is not below from (nil: with the first of all), until fn returns false.
// It sees the transaction's own writes up to its call; fn may write, and owns k and v.
func (tx *Tx) Scan(prefix, from []byte, fn func(k, v []byte) (more bool)) error {
	return tx.scan(prefix, from, true, fn)
}

// ScanKeys is Scan without the values, which it does not even read.
func (tx *Tx) ScanKeys(prefix, from []byte, fn func(k []byte) (more bool)) error {
	return tx.scan(prefix, from, false, func(k, _ []byte) bool { return fn(k) })
}

// scan merges two sorted sequences of keys, as a merge sort does: what is on disk and what is
// pending. Where both have a key the pending write wins.
//
//	disk:     k1  k2      k4
//	pending:      k2' k3  -k4
//	result:   k1  k2' k3
func (tx *Tx) scan(prefix, from []byte, values bool, fn func(k, v []byte) bool) error {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	pending := slices.DeleteFunc(tx.PendingUnder(prefix), func(w Write) bool { return w.Key < string(from) })
	options := badger.DefaultIteratorOptions
	options.Prefix, options.PrefetchValues, options.PrefetchSize = prefix, values, 16
	it := tx.snapshot.NewIterator(options)
	defer it.Close()
	it.Seek(from)
	for it.ValidForPrefix(prefix) || len(pending) > 0 {
		if len(pending) > 0 && (!it.ValidForPrefix(prefix) || pending[0].Key <= string(it.Item().Key())) {
			w := pending[0]
			pending = pending[1:]
			if it.ValidForPrefix(prefix) && w.Key == string(it.Item().Key()) {
				it.Next()
			}
			if w.Value != nil && !fn([]byte(w.Key), cloneIf(values, w.Value)) {
				return nil
			}
			continue
		}
		key := it.Item().KeyCopy(nil)
		var value []byte
		if values {
			var err error
			if value, err = valueOf(it.Item()); err != nil {
				return err
			}
		}
		it.Next()
		if !fn(key, value) {
			return nil
		}
	}
	return nil
}

func cloneIf(wanted bool, value []byte) []byte {
	if !wanted {
		return nil
	}
	return bytes.Clone(value)
}

// Wrote reports whether the transaction wrote anything.
func (tx *Tx) Wrote() bool { return len(tx.own) > 0 }

// Revision is the number that this transaction's writes will carry, the first one if it
// takes several (see Touch); after the commit, and in a View, the last one.
func (tx *Tx) Revision() uint64 { return tx.counters.revision }

// TouchedRevision is the last revision that Touch took.
func (tx *Tx) TouchedRevision() uint64 { return tx.counters.touched }

// NextSeq returns the next sequence number. A number taken by a transaction that fails
// is given out again.
func (tx *Tx) NextSeq() uint64 {
	tx.counters.seq++
	return tx.counters.seq
}

// LastSeq returns the last sequence number that was given out; it survives restarts.
func (tx *Tx) LastSeq() uint64 { return tx.counters.seq }

// Now returns the time of the transaction: the same at every call, in UTC.
func (tx *Tx) Now() time.Time { return tx.now }

// Touch declares that the representation of the objects of those names changes with this
// transaction, if it writes anything. Each of them takes a revision, in the order of names, so
// that a reader of the changes can stop and go on between any two.
func (tx *Tx) Touch(names ...string) {
	if tx.touched == nil {
		tx.touched = make(map[string]struct{}, len(names))
	}
	for _, name := range names {
		tx.touched[name] = struct{}{}
	}
}

// Touched returns the names that were touched, sorted.
func (tx *Tx) Touched() []string { return slices.Sorted(maps.Keys(tx.touched)) }

// takeRevisions gives the transaction the revisions of what it touched.
func (tx *Tx) takeRevisions() {
	if n := uint64(len(tx.touched)); n > 0 {
		tx.counters.revision += n - 1
		tx.counters.touched = tx.counters.revision
	}
}

// AfterCommit makes the committer call fn once the writes are on disk, before the
// writer is answered, in the order of commits. It is not called when the transaction
// fails. It must not block, nor call the database's writing methods.
func (tx *Tx) AfterCommit(fn func()) { tx.callbacks = append(tx.callbacks, fn) }
