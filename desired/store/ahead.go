package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"lightd/desired"
)

// A commit waits for the disk, twice as a rule. Somebody who acts on it and whose act a power
// cut undoes as well need not: it is enough that the commit outlives the process. So the batch
// is written into a file beside the database first, which takes no flush, and whoever opens
// the database next finishes a commit that is there and not in the database.

// underWay is the name of the file that holds the commit that is being made.
const underWay = "underway"

// maxAhead bounds that file, in bytes.
const maxAhead = 4 << 20

// errTooLong answers put for a batch that has no room in the file.
var errTooLong = errors.New("the batch is too long")

// ahead is that file. Only the committer writes it.
type ahead struct{ file *os.File }

func openAhead(dir string) (*ahead, error) {
	f, err := os.OpenFile(filepath.Join(dir, underWay), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	return &ahead{f}, nil
}

// put keeps writes, which follow a database with those counters, in place of the last ones.
func (a *ahead) put(base counters, writes overlay) error {
	data := encodeAhead(base, writes)
	if len(data) > maxAhead {
		return errTooLong
	}
	_, err := a.file.WriteAt(data, 0)
	return err
}

// get returns what put kept, or ok false when that is not there as a whole.
func (a *ahead) get() (base counters, writes overlay, ok bool, err error) {
	data, err := io.ReadAll(io.NewSectionReader(a.file, 0, maxAhead))
	if err != nil {
		return counters{}, nil, false, fmt.Errorf("read %s: %w", underWay, err)
	}
	base, writes, ok = decodeAhead(data)
	return base, writes, ok, nil
}

func (a *ahead) close() error { return a.file.Close() }

// aheadHead is a checksum of all that follows, and how many bytes of records that are.
const aheadHead = 8 + 8

// encodeAhead lays out a batch: the head, the counters that it follows, and of each record the
// length of its key, the key, the length of its value plus one, the value. A deletion has 0
// for a length.
func encodeAhead(base counters, writes overlay) []byte {
	data := append(make([]byte, aheadHead), base.encode()...)
	for k, v := range writes {
		data = append(binary.AppendUvarint(data, uint64(len(k))), k...)
		if v == nil {
			data = append(data, 0)
			continue
		}
		data = append(binary.AppendUvarint(data, uint64(len(v))+1), v...)
	}
	binary.BigEndian.PutUint64(data[8:], uint64(len(data)-aheadHead))
	binary.BigEndian.PutUint64(data, aheadSum(data))
	return data
}

func aheadSum(data []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(data[8:]) // never fails
	return h.Sum64()
}

// decodeAhead reads what encodeAhead laid out. What lies behind it is of an earlier, longer
// batch.
func decodeAhead(data []byte) (base counters, writes overlay, ok bool) {
	if len(data) < aheadHead {
		return base, nil, false
	}
	length := binary.BigEndian.Uint64(data[8:])
	if length > uint64(len(data)-aheadHead) {
		return base, nil, false
	}
	data = data[:aheadHead+int(length)]
	if binary.BigEndian.Uint64(data) != aheadSum(data) {
		return base, nil, false
	}
	const counted = 32
	rest := data[aheadHead:]
	if len(rest) < counted {
		return base, nil, false
	}
	base, err := decodeCounters(rest[:counted])
	if err != nil {
		return base, nil, false
	}
	writes = overlay{}
	for rest = rest[counted:]; len(rest) > 0; {
		var key, value []byte
		if key, rest, ok = cutLength(rest, 0); !ok {
			return base, nil, false
		}
		if len(rest) > 0 && rest[0] == 0 {
			writes[string(key)], rest = nil, rest[1:]
			continue
		}
		if value, rest, ok = cutLength(rest, 1); !ok {
			return base, nil, false
		}
		writes[string(key)] = bytes.Clone(value)
	}
	return base, writes, true
}

// cutLength takes what a length says, which is more by the given number, off the front.
func cutLength(data []byte, more uint64) (front, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n < more || n-more > uint64(len(data)-size) {
		return nil, nil, false
	}
	end := size + int(n-more)
	return data[size:end:end], data[end:], true
}

// announce tells those who wait for no more that the batch outlives this process, before the
// database is asked to keep it. They hear nothing where that cannot be.
func (b *batch) announce(base counters) {
	var safe []func()
	for _, a := range b.accepted {
		safe = append(safe, a.tx.safe...)
	}
	if len(safe) == 0 {
		return
	}
	if err := b.store.ahead.put(base, b.writes); err != nil {
		b.store.log.Debug("write the batch ahead of the database", "error", err)
		return
	}
	b.announced = true
	for _, fn := range safe {
		b.store.guard("hook", fn)
	}
}

// debt is a commit that somebody acts on, and that failed.
type debt struct {
	writes   overlay
	accepted []accepted
	revision uint64
}

// errOwed answers the writes that cannot be made before an earlier one is.
var errOwed = fmt.Errorf("write to the database: %w: an earlier commit has to be made first", desired.ErrUnavailable)

// settle makes the commit that is owed. Any other that came before it would pass over what
// somebody acts on, and have what a death of this process leaves behind be of no use.
func (s *Store) settle() {
	o := s.owed
	if o == nil || s.checkSpace() != nil {
		return
	}
	if err := s.put(o.writes); err != nil {
		s.log.Error("commit to the database what was said to be safe", "writes", len(o.writes), "error", err)
		return
	}
	s.owed = nil
	s.committed(o.revision, o.accepted)
}

// finish makes the commit that the last process wrote ahead and did not come to make.
func (s *Store) finish() error {
	base, writes, ok, err := s.ahead.get()
	if err != nil || !ok {
		return err
	}
	var have counters
	if err := s.View(func(tx *Tx) error { have = tx.counters; return nil }); err != nil {
		return err
	}
	if have != base {
		return nil // it was made, or others were since
	}
	if err := s.put(writes); err != nil {
		return fmt.Errorf("finish a commit: %w", err)
	}
	s.log.Info("a commit was finished that the process before died in", "after_revision", base.revision, "writes", len(writes))
	return nil
}
