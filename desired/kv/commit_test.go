package kv

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired"
)

var errDisk = errors.New("the disk does not answer")

// TestCallbacksFollowCommits in their order, each once, inside OnCommit.
func TestCallbacksFollowCommits(t *testing.T) {
	var order []string
	db := open(t, t.TempDir(), Options{OnCommit: func(tx *Tx, callbacks func()) {
		order = append(order, fmt.Sprint("before ", tx.Revision()))
		callbacks()
		order = append(order, fmt.Sprint("after ", tx.Touched()))
	}})
	for i := range 2 {
		must(t, db.Update(t.Context(), func(tx *Tx) error {
			tx.AfterCommit(func() { order = append(order, "callback") })
			tx.AfterCommit(func() { panic("boom") })
			tx.AfterCommit(func() { order = append(order, "another") })
			tx.Touch("b", "a")
			return tx.Set(fmt.Append(nil, i), nil)
		}))
	}
	wantErr(t, db.Update(t.Context(), func(tx *Tx) error {
		tx.AfterCommit(func() { t.Error("called back after a transaction that failed") })
		return errDisk
	}), errDisk)
	want := []string{"before 2", "callback", "another", "after [a b]", "before 4", "callback", "another", "after [a b]"}
	if !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
}

// TestAttached: what is attached to a write is seen by later transactions of its batch and by
// OnCommit, and by nobody after that.
func TestAttached(t *testing.T) {
	var committed []Write
	db := open(t, t.TempDir(), Options{OnCommit: func(tx *Tx, _ func()) {
		committed = append(committed, tx.Written([]byte("k/"))...)
	}})
	entered, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 2)
	go func() {
		done <- db.Update(t.Context(), func(tx *Tx) error {
			close(entered)
			<-release
			err := errors.Join(set("k/b", "1")(tx), set("k/a", "2")(tx), set("other", "3")(tx))
			tx.Attach([]byte("k/a"), "a")
			tx.Attach([]byte("k/c"), "not written")
			return err
		})
	}()
	<-entered
	go func() {
		done <- db.Update(t.Context(), func(tx *Tx) error {
			if w, ok := tx.Pending([]byte("k/a")); !ok || w.Object != "a" || string(w.Value) != "2" {
				t.Errorf("pending %+v", w)
			}
			err := tx.Delete([]byte("k/b"))
			if all := tx.PendingUnder([]byte("k/")); len(all) != 2 || all[0].Key != "k/a" || all[1].Value != nil {
				t.Errorf("pending %+v", all)
			}
			return err
		})
	}()
	waitQueued(t, db, 1)
	close(release)
	must(t, errors.Join(<-done, <-done))
	var keys []string
	for _, w := range committed {
		keys = append(keys, fmt.Sprintf("%s=%s %v", w.Key, w.Value, w.Object))
	}
	if want := []string{"k/a=2 a", "k/b=1 <nil>", "k/b= <nil>"}; !slices.Equal(keys, want) {
		t.Errorf("committed %q, want %q", keys, want)
	}
	must(t, db.View(func(tx *Tx) error {
		if all := tx.PendingUnder(nil); len(all) > 0 {
			t.Errorf("pending after the commit: %+v", all)
		}
		return nil
	}))
}

// TestUnresolvedCommit: while it cannot be read what became of a commit that failed, nothing is
// written. Once it can be, a commit that happened is published, before the next one.
func TestUnresolvedCommit(t *testing.T) {
	for _, happens := range []bool{false, true} {
		t.Run(fmt.Sprint("and happens: ", happens), func(t *testing.T) {
			var fails atomic.Bool
			var db *DB
			var published []uint64
			counters := func(value []byte) []byte { // replaces those on disk
				var before []byte
				must(t, db.engine.badger.Update(func(txn *badger.Txn) error {
					item, err := txn.Get(countersKey)
					if err == nil {
						before, err = item.ValueCopy(nil)
					}
					return errors.Join(err, txn.Set(countersKey, value))
				}))
				return before
			}
			var good []byte
			dir := t.TempDir()
			db = open(t, dir, Options{
				OnCommit: func(tx *Tx, _ func()) {
					if tx.Wrote() {
						published = append(published, tx.Revision())
					}
				},
				Commit: func(commit func() error) error {
					if !fails.Load() {
						return commit()
					}
					if happens {
						must(t, commit())
					}
					good = counters([]byte{9})
					return errDisk
				}})
			must(t, db.Update(t.Context(), set("x", "1")))
			fails.Store(true)
			wantErr(t, db.Update(t.Context(), set("x", "2")), desired.ErrUnavailable)
			fails.Store(false)
			wantErr(t, db.Update(t.Context(), set("x", "3")), desired.ErrUnavailable)
			wantErr(t, db.Ping(t.Context()), desired.ErrUnavailable)
			counters(good)
			must(t, db.Update(t.Context(), set("y", "4")))
			want := []uint64{1, 3}
			if happens {
				want = []uint64{1, 2, 3}
			}
			if !slices.Equal(published, want) {
				t.Errorf("published %v, want %v", published, want)
			}
			closeDB(t, db)
			again := open(t, dir, Options{})
			if v, err := get(t, again, "x"); err != nil || (v == "2") != happens {
				t.Errorf("x is %q, %v", v, err)
			}
		})
	}
}
