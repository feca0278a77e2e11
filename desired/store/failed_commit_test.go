package store

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"lightd/desired"
	"lightd/desired/kv"
)

var errDisk = errors.New("the disk does not answer")

// TestCommitThatFails leaves nothing behind, and its numbers are never given out again. One that
// happened, though it failed, is in memory, and subscribers are notified of it.
func TestCommitThatFails(t *testing.T) {
	for _, happens := range []bool{false, true} {
		t.Run(fmt.Sprint("and happens: ", happens), func(t *testing.T) {
			fails, dir := &atomic.Bool{}, t.TempDir()
			s := open(t, dir, Options{Database: kv.Options{Commit: func(commit func() error) error {
				if !fails.Load() {
					return commit()
				}
				if happens {
					return errors.Join(commit(), errDisk)
				}
				return errDisk
			}}})
			addVolume(t, s)
			base := still(s)
			var commits []Commit
			cancel := s.SubscribeCommits(func(c Commit) { commits = append(commits, c) })
			var failed uint64
			fails.Store(true)
			err := s.Update(t.Context(), func(tx *Tx) error {
				failed = tx.Revision()
				_, err := tx.CreateContainer(spec("a"))
				return err
			})
			wantErr(t, err, desired.ErrUnavailable)
			fails.Store(false)
			cancel()
			if _, there := s.Container("a"); there != happens || (len(commits) == 1) != happens || (still(s) != base) != happens {
				t.Errorf("there %t, notified of %v, at %+v", there, commits, still(s))
			}
			must(t, s.Update(t.Context(), func(tx *Tx) error {
				if tx.Revision() <= failed {
					t.Errorf("revision %d after %d, which may have been published", tx.Revision(), failed)
				}
				_, err := tx.CreateContainer(spec("b"))
				return err
			}))
			closeStore(t, s)
			again := open(t, dir, Options{})
			if _, there := again.Container("a"); there != happens {
				t.Errorf("there %t when opened again", there)
			}
		})
	}
}
