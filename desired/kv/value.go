package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// stored returns a value as it is on disk: its format first.
func stored(value []byte) []byte { return append([]byte{Format}, value...) }

// contentOf returns what stored was given for a key. Every value has a format, so that one without has been lost.
func contentOf(key, value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] == 0 {
		return nil, errors.New("it is empty or overwritten, and every value begins with its format")
	}
	if err := CheckFormat(fmt.Sprintf("value %q of the database", key), int(value[0])); err != nil {
		return nil, err
	}
	return value[1:], nil
}

// valueOf returns the value of an item, which the caller may keep.
func valueOf(item *badger.Item) ([]byte, error) {
	var out []byte
	err := item.Value(func(v []byte) error {
		content, err := contentOf(item.Key(), v)
		out = bytes.Clone(content)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read value of %q: %w", item.KeyCopy(nil), err)
	}
	return out, nil
}

// counters are the numbers that only grow, and the checksum of all records but this one. touched
// is the last revision that an object took with Touch.
type counters struct{ revision, seq, touched, sum uint64 }

var countersKey = []byte("m/counters")

func (c counters) encode() []byte {
	data := make([]byte, 0, 32)
	for _, n := range []uint64{c.revision, c.seq, c.touched, c.sum} {
		data = binary.BigEndian.AppendUint64(data, n)
	}
	return data
}

// decodeCounters reads what encode wrote, and what it wrote before there was a checksum.
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
