package kv

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"
)

// Badger survives damage by leaving out what it cannot read: the rest of a log after a bad byte,
// a log that is missing, a value. Two things make that known. The counters carry the checksum of
// all records, written with each commit, so that no record can be lost or altered. And the
// high-water mark beside the database is the revision up to which writes were acknowledged, so
// that the last commits cannot be lost together with their checksum.

// checksum is what a record adds to the sum. The sum does not depend on an order, so that each
// commit brings the last one up to date.
func checksum(key, value []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(key) // never fails
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(value)
	return h.Sum64()
}

// sumChange returns what writes add to the sum of all records that snapshot shows.
func sumChange(snapshot *badger.Txn, writes overlay) (uint64, error) {
	sum := uint64(0)
	for k, w := range writes {
		key := []byte(k)
		item, err := snapshot.Get(key)
		if err == nil {
			err = item.Value(func(old []byte) error { sum -= checksum(key, old); return nil })
		}
		if err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
			return 0, fmt.Errorf("read what %q replaces: %w", k, err)
		}
		if w.Value != nil {
			sum += checksum(key, stored(w.Value))
		}
	}
	return sum, nil
}

// sumAll adds up all records that snapshot shows, but the counters, which hold the sum. It fails on one that
// cannot be read, its format included.
func sumAll(snapshot *badger.Txn) (uint64, error) {
	it := snapshot.NewIterator(badger.DefaultIteratorOptions)
	defer it.Close()
	sum := uint64(0)
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if string(item.Key()) == string(countersKey) {
			continue
		}
		err := item.Value(func(v []byte) error {
			sum += checksum(item.Key(), v)
			_, err := contentOf(item.Key(), v)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("read value of %q: %w", item.KeyCopy(nil), err)
		}
	}
	return sum, nil
}

// highWaterName is the name of the file with the high-water mark.
const highWaterName = "acknowledged"

// highWaterMark is that file. It is not flushed with each write: after a power cut it may hold an
// earlier revision, and never a later one than is on disk.
type highWaterMark struct{ file *os.File }

// openHighWaterMark opens the file, which it creates where it is missing, and returns the
// revision in it, 0 when there is none.
func openHighWaterMark(dir string) (*highWaterMark, uint64, error) {
	f, err := os.OpenFile(filepath.Join(dir, highWaterName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, 0, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	revision, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		revision = 0 // a power cut before its first byte
	}
	return &highWaterMark{f}, revision, nil
}

// note writes a revision: always as many bytes, in place, which needs no room.
func (m *highWaterMark) note(revision uint64) error {
	_, err := m.file.WriteAt(fmt.Appendf(nil, "%020d\n", revision), 0)
	return err
}

func (m *highWaterMark) close() error { return errors.Join(m.file.Sync(), m.file.Close()) }
