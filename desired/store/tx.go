package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired"
)

// ErrNotFound answers Get for a key that is not there.
var ErrNotFound = errors.New("key not found")

// errReadOnly answers a write in a View.
var errReadOnly = errors.New("write in a read-only transaction")

// valueFormat is the first byte of every stored value: the version of its format.
const valueFormat = 1

// FormatError tells of a value that this version of the program cannot read.
type FormatError struct {
	Key    []byte
	Format byte
}

// Error names the key and the format.
func (e *FormatError) Error() string {
	return fmt.Sprintf("database value %q has format %d, this program reads format %d: it was written by another version",
		e.Key, e.Format, valueFormat)
}

// Tx is one transaction: reads see the database as of one instant plus its own writes.
// It is valid only inside the function that it was given to, on that goroutine.
type Tx struct {
	store    *Store
	snapshot *badger.Txn
	// base are the writes of earlier transactions of the same batch, own those of
	// this one. base is nil outside the committer.
	base, own overlay
	readOnly  bool
	// ordinary is true once something was written that must not use the reserve of a full disk.
	ordinary bool
	now      time.Time
	counters counters
	// containers are the records written here, earlier those that earlier transactions
	// of the batch wrote; nil stands for a removal. memory has all others; it is nil
	// outside the committer, who alone knows it to be current.
	containers, earlier map[string]*desired.Container
	memory              *index
	// touched are the containers that look different afterwards.
	touched map[string]struct{}
	// hooks are called after the commit; see AfterCommit.
	hooks []func()
	pool  freePortScan
}

// counters are the numbers that only grow, and the sum of all records but this one. shown
// is the last revision at which a container began to look different.
type counters struct{ revision, seq, shown, sum uint64 }

// overlay holds writes that are not in the database yet; a nil value is a deletion.
type overlay map[string][]byte

// Get returns the value of key, which the caller may keep, or ErrNotFound.
func (tx *Tx) Get(key []byte) ([]byte, error) {
	for _, o := range []overlay{tx.own, tx.base} {
		if v, ok := o[string(key)]; ok {
			if v == nil {
				return nil, ErrNotFound
			}
			return bytes.Clone(v), nil
		}
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
	// A value is never nil here: nil is a deletion.
	tx.own[string(key)] = append(make([]byte, 0, len(value)), value...)
	return nil
}

// Delete removes key; a key that is not there is no error.
func (tx *Tx) Delete(key []byte) error {
	if tx.readOnly {
		return fmt.Errorf("delete %q: %w", key, errReadOnly)
	}
	tx.own[string(key)] = nil
	return nil
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

func (tx *Tx) scan(prefix, from []byte, values bool, fn func(k, v []byte) bool) error {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	pending := tx.pending(prefix, from)
	options := badger.DefaultIteratorOptions
	options.Prefix, options.PrefetchValues, options.PrefetchSize = prefix, values, 16
	it := tx.snapshot.NewIterator(options)
	defer it.Close()
	it.Seek(from)
	for it.ValidForPrefix(prefix) || len(pending) > 0 {
		// Take whichever is first; the overlay wins where both have the key.
		if len(pending) > 0 && (!it.ValidForPrefix(prefix) || pending[0].key <= string(it.Item().Key())) {
			p := pending[0]
			pending = pending[1:]
			if it.ValidForPrefix(prefix) && p.key == string(it.Item().Key()) {
				it.Next()
			}
			if p.value != nil && !fn([]byte(p.key), p.valueIf(values)) {
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

type pendingWrite struct {
	key   string
	value []byte
}

func (p pendingWrite) valueIf(wanted bool) []byte {
	if !wanted {
		return nil
	}
	return bytes.Clone(p.value)
}

// pending returns the overlay's writes in a range, in order of keys.
func (tx *Tx) pending(prefix, from []byte) []pendingWrite {
	var out []pendingWrite
	take := func(o, hiddenBy overlay) {
		for k, v := range o {
			if _, hidden := hiddenBy[k]; hidden || k < string(from) || !bytes.HasPrefix([]byte(k), prefix) {
				continue
			}
			out = append(out, pendingWrite{k, v})
		}
	}
	take(tx.own, nil)
	take(tx.base, tx.own)
	slices.SortFunc(out, func(a, b pendingWrite) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
	return out
}

// Revision is the number that this transaction's writes will carry, the first one if it
// takes several (see Touch); in a View, the last of the last commit.
func (tx *Tx) Revision() uint64 { return tx.counters.revision }

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

// Touch says that what is shown of containers changes with this transaction, if it writes
// anything. Each of them takes a revision, in the order of their ids, so that a reader of
// the changes can stop and go on between any two. Writing a container touches it.
func (tx *Tx) Touch(ids ...string) {
	if tx.touched == nil {
		tx.touched = make(map[string]struct{}, len(ids))
	}
	for _, id := range ids {
		tx.touched[id] = struct{}{}
	}
}

// number gives out the revisions that the transaction takes.
func (tx *Tx) number() {
	if n := uint64(len(tx.touched)); n > 0 {
		tx.counters.revision += n - 1
		tx.counters.shown = tx.counters.revision
	}
}

// AfterCommit makes the committer call fn once the writes are on disk, before the
// writer is answered, in the order of commits. It is not called when the transaction
// fails. It must not block, nor call the store's writing methods.
func (tx *Tx) AfterCommit(fn func()) { tx.hooks = append(tx.hooks, fn) }

func valueOf(item *badger.Item) ([]byte, error) {
	var out []byte
	err := item.Value(func(v []byte) error {
		if len(v) == 0 || v[0] != valueFormat {
			e := &FormatError{Key: item.KeyCopy(nil)}
			if len(v) > 0 {
				e.Format = v[0]
			}
			return e
		}
		out = bytes.Clone(v[1:])
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read value of %q: %w", item.KeyCopy(nil), err)
	}
	return out, nil
}

var countersKey = []byte("m/counters")

func (c counters) encode() []byte {
	data := make([]byte, 0, 32)
	for _, n := range []uint64{c.revision, c.seq, c.shown, c.sum} {
		data = binary.BigEndian.AppendUint64(data, n)
	}
	return data
}

// decodeCounters reads what encode wrote, and what it wrote before there was a sum.
func decodeCounters(data []byte) (counters, error) {
	if len(data) != 32 && len(data) != 24 {
		return counters{}, fmt.Errorf("decode counters: %d bytes where 32 were expected", len(data))
	}
	var n [4]uint64
	for i := range len(data) / 8 {
		n[i] = binary.BigEndian.Uint64(data[8*i:])
	}
	return counters{n[0], n[1], n[2], n[3]}, nil
}

// stored is a value as it is on disk: its format first.
func stored(value []byte) []byte { return append([]byte{valueFormat}, value...) }
