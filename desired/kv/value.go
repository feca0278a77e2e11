package kv

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Format is the first byte of every stored value: the version of its format.
const Format = 1

// FormatError names a value that this version of the program cannot read.
type FormatError struct {
	Key    []byte
	Format byte
}

// Error names the key and the format.
func (e *FormatError) Error() string {
	return fmt.Sprintf("database value %q has format %d, this program reads format %d: it was written by another version",
		e.Key, e.Format, Format)
}

// stored returns a value as it is on disk: its format first.
func stored(value []byte) []byte { return append([]byte{Format}, value...) }

// valueOf returns the value that stored has laid out.
func valueOf(item *badger.Item) ([]byte, error) {
	var out []byte
	err := item.Value(func(v []byte) error {
		if len(v) == 0 || v[0] != Format {
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
