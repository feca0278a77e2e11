package kv

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

// small has the database begin new files all the time, so that a test meets every kind.
func small(o badger.Options) badger.Options {
	return o.WithMemTableSize(1 << 20).WithValueLogFileSize(1 << 20).WithBaseTableSize(1 << 20).WithValueThreshold(1 << 10)
}

// record is what the test writes under a number: large ones go to the value log.
func record(n int) (key string, value []byte) {
	key = fmt.Sprintf("x/%06d", n)
	size := 200 + n*37%700
	if n%3 == 0 {
		size = 2000 + n*37%9000
	}
	return key, bytes.Repeat([]byte(key), 1+size/len(key))
}

// fill writes the records of numbers, a few in each commit.
func fill(t testing.TB, s *DB, from, to int) {
	t.Helper()
	for n := from; n < to; {
		must(t, s.Update(t.Context(), func(tx *Tx) error {
			for range 40 {
				if n == to {
					break
				}
				key, value := record(n)
				if err := tx.Set([]byte(key), value); err != nil {
					return err
				}
				n++
			}
			return nil
		}))
	}
}

// holds returns an error unless the records of all numbers below count are there, unaltered,
// and no other.
func holds(s *DB, count int) error {
	return s.View(func(tx *Tx) error {
		n := 0
		var bad error
		err := tx.Scan([]byte("x/"), nil, func(k, v []byte) bool {
			if key, value := record(n); string(k) != key || !bytes.Equal(v, value) {
				bad = fmt.Errorf("%s is where %s should be, of %d bytes", k, key, len(v))
			}
			n++
			return bad == nil
		})
		if err = errors.Join(err, bad); err == nil && n != count {
			err = fmt.Errorf("%d records, want %d", n, count)
		}
		return err
	})
}

// files are the contents of a directory's files by name.
type files map[string][]byte

func read(t testing.TB, dir string) files {
	t.Helper()
	all := files{}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		all[e.Name()] = data
	}
	return all
}

func (f files) write(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, data := range f {
		must(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	return dir
}

// used is the length of a file up to its last byte that is not zero.
func used(data []byte) int { return len(bytes.TrimRight(data, "\x00")) }

// harm are ways in which a file comes to harm; nil is a file that is gone.
var harm = map[string]func(data []byte, r *rand.Rand) []byte{
	"gone":         func([]byte, *rand.Rand) []byte { return nil },
	"emptied":      func([]byte, *rand.Rand) []byte { return []byte{} },
	"cut":          func(data []byte, r *rand.Rand) []byte { return data[:r.IntN(used(data))] },
	"cut by a bit": func(data []byte, r *rand.Rand) []byte { return data[:max(0, used(data)-1-r.IntN(20))] },
	"a byte":       func(data []byte, r *rand.Rand) []byte { data[r.IntN(used(data))] ^= byte(1 + r.IntN(255)); return data },
	"zeroes": func(data []byte, r *rand.Rand) []byte {
		at := r.IntN(used(data))
		clear(data[at:min(len(data), at+1+r.IntN(4096))])
		return data
	},
	"garbage": func(data []byte, r *rand.Rand) []byte {
		at := r.IntN(used(data))
		for i := at; i < min(len(data), at+1+r.IntN(4096)); i++ {
			data[i] = byte(r.Uint32())
		}
		return data
	},
}

// TestDamage harms each file of a database in each way. It opens with every write that was
// acknowledged, or is refused with a word on what to do.
func TestDamage(t *testing.T) {
	const count = 500
	dir := t.TempDir()
	s := open(t, dir, Options{tune: small})
	fill(t, s, 0, count-100)
	closeDB(t, s)
	s = open(t, dir, Options{tune: small})
	fill(t, s, count-100, count)
	whole := read(t, dir)
	closeDB(t, s)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	outcomes := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		if len(whole[name]) == 0 || used(whole[name]) == 0 || name == "owner.lock" || name == "LOCK" {
			continue
		}
		for _, what := range slices.Sorted(maps.Keys(harm)) {
			harmed := maps.Clone(whole)
			if harmed[name] = harm[what](bytes.Clone(whole[name]), r); harmed[name] == nil {
				delete(harmed, name)
			}
			outcome := outcomeOf(t, harmed, count)
			if outcome == "" {
				t.Errorf("%s, %s (seed %d)", name, what, seed)
			}
			outcomes[fmt.Sprintf("%s %s: %s", name, what, outcome)]++
		}
	}
	for _, o := range slices.Sorted(maps.Keys(outcomes)) {
		t.Log(o, outcomes[o])
	}
}

// outcomeOf opens a database, and returns what came of it; nothing when that was wrong.
func outcomeOf(t *testing.T, f files, count int) string {
	t.Helper()
	s, err := Open(f.write(t), Options{tune: small})
	if err != nil {
		var d *DamagedError
		var f *FormatError // of a digit that became a larger one
		if !errors.As(err, &f) && (!errors.As(err, &d) || !strings.Contains(err.Error(), "Restore the directory from a backup")) {
			t.Errorf("refused with %v", err)
			return ""
		}
		return "refused"
	}
	if err := errors.Join(holds(s, count), s.Close()); err != nil {
		t.Errorf("opened: %v", err)
		return ""
	}
	return "opened"
}

// TestTakenAsItIs: somebody who removes the note of what was acknowledged gets what is left,
// under the same identity, and no number is given out twice.
func TestTakenAsItIs(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{tune: small})
	instance := s.Instance()
	next := func() (seq, revision uint64) {
		must(t, s.Update(t.Context(), func(tx *Tx) error {
			seq, revision = tx.NextSeq(), tx.Revision()
			return tx.Set([]byte("y"), nil)
		}))
		return seq, revision
	}
	fill(t, s, 0, 400)
	seq, revision := next()
	before := read(t, dir)
	fill(t, s, 400, 440)
	before[highWaterName] = read(t, dir)[highWaterName] // the last commit is lost, and is known to have been
	closeDB(t, s)
	dir = before.write(t)
	var d *DamagedError
	if _, err := Open(dir, Options{tune: small}); !errors.As(err, &d) || d.Left != filepath.Join(dir, highWaterName) {
		t.Fatalf("opened: %v", err)
	}
	must(t, os.Remove(d.Left))
	for range 2 { // taken as it is once, and from then on as any other
		s = open(t, dir, Options{tune: small})
		must(t, holds(s, 400))
		laterSeq, laterRevision := next()
		if s.Instance() != instance || laterSeq <= seq || laterRevision <= revision || laterSeq > seq+2*numbersSkipped {
			t.Errorf("instance %s, sequence number %d after %d, revision %d after %d", s.Instance(), laterSeq, seq, laterRevision, revision)
		}
		seq, revision = laterSeq, laterRevision
		closeDB(t, s)
	}
}
