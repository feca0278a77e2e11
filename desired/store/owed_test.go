package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"lightd/desired"
)

var errDisk = errors.New("the disk does not answer")

// failing is a store whose commits fail as long as it says.
func failing(t *testing.T) (s *Store, fails *atomic.Bool) {
	t.Helper()
	fails = &atomic.Bool{}
	s = open(t, t.TempDir(), Options{tune: small, Commit: func(commit func() error) error {
		if fails.Load() {
			return errDisk
		}
		return commit()
	}})
	return s, fails
}

func put(s *Store, n int, safe func()) error {
	key, value := record(n)
	return s.Update(context.Background(), func(tx *Tx) error {
		if safe != nil {
			tx.WhenSafe(safe)
		}
		return tx.Set([]byte(key), value)
	})
}

// TestCommitThatFailsThoughItWasSafe is owed: no other is made before it, and it is made as soon
// as one can be, by this process or the next.
func TestCommitThatFailsThoughItWasSafe(t *testing.T) {
	for name, stop := range map[string]func(t *testing.T, s *Store, fails *atomic.Bool) *Store{
		"lives on": func(_ *testing.T, s *Store, fails *atomic.Bool) *Store {
			fails.Store(false)
			return s
		},
		"is stopped": func(t *testing.T, s *Store, _ *atomic.Bool) *Store {
			closeStore(t, s)
			return open(t, s.dir, Options{tune: small})
		},
		"is stopped with the disk in order": func(t *testing.T, s *Store, fails *atomic.Bool) *Store {
			fails.Store(false)
			closeStore(t, s)
			return open(t, s.dir, Options{tune: small})
		},
		"is killed": func(t *testing.T, s *Store, _ *atomic.Bool) *Store {
			return open(t, read(t, s.dir).write(t), Options{tune: small})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, fails := failing(t)
			fill(t, s, 0, 5)
			before := still(s).Revision
			fails.Store(true)
			safe := 0
			wantErr(t, put(s, 5, func() { safe++ }), desired.ErrUnavailable)
			if safe != 1 {
				t.Fatalf("said to be safe %d times", safe)
			}
			for range 3 {
				wantErr(t, put(s, 6, func() { t.Error("safe, before what is owed") }), desired.ErrUnavailable)
			}
			s = stop(t, s, fails)
			must(t, put(s, 6, nil))
			must(t, holds(s, 7))
			if now := still(s).Revision; now != before+2 {
				t.Errorf("revision %d after %d and two writes", now, before)
			}
			closeStore(t, s)
			again := open(t, s.dir, Options{tune: small})
			must(t, holds(again, 7))
		})
	}
}

// TestWriteThatIsOwedIsPublished when it is made: memory shows it, and those who follow hear it.
func TestWriteThatIsOwedIsPublished(t *testing.T) {
	s, fails := failing(t)
	addVolume(t, s)
	var heard []string
	defer s.Subscribe(func(id string) { heard = append(heard, id) })()
	fails.Store(true)
	err := s.Update(t.Context(), func(tx *Tx) error {
		tx.WhenSafe(func() {})
		_, err := tx.CreateContainer(spec("a"))
		return err
	})
	wantErr(t, err, desired.ErrUnavailable)
	if _, there := s.Container("a"); there || len(heard) > 0 {
		t.Errorf("there %t, told of %v, and it is not on disk", there, heard)
	}
	fails.Store(false)
	must(t, s.Ping(t.Context()))
	if _, there := s.Container("a"); !there || len(heard) != 1 {
		t.Errorf("there %t, told of %v", there, heard)
	}
}

// TestCommitThatFails leaves nothing behind, and its numbers are never given out again. One that
// happened, though it failed, is there.
func TestCommitThatFails(t *testing.T) {
	for _, happens := range []bool{false, true} {
		t.Run(fmt.Sprint("and happens: ", happens), func(t *testing.T) {
			fails := &atomic.Bool{}
			s := open(t, t.TempDir(), Options{Commit: func(commit func() error) error {
				if !fails.Load() {
					return commit()
				}
				if happens {
					return errors.Join(commit(), errDisk)
				}
				return errDisk
			}})
			addVolume(t, s)
			var failed uint64
			fails.Store(true)
			err := s.Update(t.Context(), func(tx *Tx) error {
				failed = tx.Revision()
				_, err := tx.CreateContainer(spec("a"))
				return err
			})
			wantErr(t, err, desired.ErrUnavailable)
			fails.Store(false)
			if _, there := s.Container("a"); there != happens {
				t.Errorf("there %t", there)
			}
			must(t, s.Update(t.Context(), func(tx *Tx) error {
				if tx.Revision() <= failed {
					t.Errorf("revision %d after %d, which may have been told", tx.Revision(), failed)
				}
				_, err := tx.CreateContainer(spec("b"))
				return err
			}))
			closeStore(t, s)
			again := open(t, s.dir, Options{})
			if _, there := again.Container("a"); there != happens {
				t.Errorf("there %t when opened again", there)
			}
		})
	}
}

// TestSafeAfterACommitThatFailed: what is safe follows what is on disk, whatever numbers were
// given out since.
func TestSafeAfterACommitThatFailed(t *testing.T) {
	s, fails := failing(t)
	fill(t, s, 0, 3)
	fails.Store(true)
	wantErr(t, s.Update(t.Context(), func(tx *Tx) error { return tx.Set([]byte("k/a"), nil) }), desired.ErrUnavailable)
	fails.Store(false)
	_, at := interrupted(t, s, 3)
	must(t, holds(open(t, at.write(t), Options{tune: small}), 4))
}
