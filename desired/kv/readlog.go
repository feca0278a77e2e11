package kv

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// readLog returns how much of a file that the database appends to is written: in the memory of a
// memtable, whose file it may be, and in the file. It may be written to meanwhile.
//
// After a head of 20 bytes each entry has two bytes of flags; the lengths of its key and its value and
// its time of expiry, as varints; the key, the value, and a checksum of 4 bytes. Zeros end it.
func readLog(path string) (written cost, err error) {
	const head, flags, checksum = 20, 2, 4
	f, err := os.Open(path)
	if err != nil {
		return cost{}, err
	}
	defer f.Close()
	in := &countingReader{Reader: bufio.NewReaderSize(f, 1<<20)}
	for err = in.skip(head); err == nil; {
		written.log = in.read
		var sizes [3]uint64 // of the key and the value; the last is no size
		err = in.skip(flags)
		for i := 0; i < len(sizes) && err == nil; i++ {
			sizes[i], err = binary.ReadUvarint(in)
		}
		if err != nil || sizes[0] == 0 {
			break
		}
		if sizes[0] > 1<<16 || sizes[1] > 1<<30 {
			return cost{}, fmt.Errorf("%s has a key of %d bytes and a value of %d at %d", path, sizes[0], sizes[1], written.log)
		}
		err = in.skip(int(sizes[0] + sizes[1] + checksum))
		written.mem += entrySize + int64(sizes[0]+sizes[1])
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return written, err
}

// countingReader counts what was read.
type countingReader struct {
	*bufio.Reader
	read int64
}

// ReadByte implements io.ByteReader.
func (r *countingReader) ReadByte() (byte, error) {
	r.read++
	return r.Reader.ReadByte()
}

func (r *countingReader) skip(n int) error {
	skipped, err := r.Discard(n)
	r.read += int64(skipped)
	return err
}
