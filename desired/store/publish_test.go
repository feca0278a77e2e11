package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"lightd/desired"
	"lightd/hack/eventually"
)

// hold keeps the committer busy until release is called, so that what is written
// meanwhile shares one batch.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Update(t.Context(), func(*Tx) error { close(entered); <-gate; return nil })
	}()
	<-entered
	return func() { close(gate); must(t, <-done) }
}

// together writes all of fns in one batch, in their order.
func together(t *testing.T, s *Store, fns ...func(*Tx) error) []error {
	t.Helper()
	release := hold(t, s)
	errs := make([]error, len(fns))
	var all sync.WaitGroup
	for i, fn := range fns {
		all.Go(func() { errs[i] = s.Update(t.Context(), fn) })
		waitFor(t, func() bool { return s.Queued() == i+1 })
	}
	release()
	all.Wait()
	return errs
}

// TestOneTransactionAtATime: whoever is told of a transaction finds memory as it left it,
// though later ones are on disk already.
func TestOneTransactionAtATime(t *testing.T) {
	s := openWithVolume(t)
	create(t, s, spec("a"))
	base := still(s).Revision
	var told []string
	note := func(who string) {
		c, there := s.Container("a")
		told = append(told, fmt.Sprintf("%s: %v %q, at %d", who, there, c.Image, present(s)-base))
	}
	defer s.Subscribe(func(string) { note("id") })()
	defer s.SubscribeCommits(func(c Commit) { note(fmt.Sprintf("commit %d %v", c.Revision-base, c.Touched)) })()
	image := func(name string) func(*Tx) error {
		return func(tx *Tx) error {
			tx.AfterCommit(func() { note("hook") })
			_, err := tx.ChangeContainer("a", func(c *desired.Container) error {
				c.Image, c.Deleting = name, name == "last"
				return nil
			})
			return err
		}
	}
	errs := together(t, s, image("one"), set("x", "1"),
		func(*Tx) error { return errors.New("no") },
		func(tx *Tx) error { tx.Touch("a"); return nil }, // writes nothing, and so is nothing
		image("last"),
		func(tx *Tx) error { return tx.RemoveContainer("a") },
		func(tx *Tx) error { _, err := tx.CreateContainer(spec("a")); return err })
	for i, err := range errs {
		if (err != nil) != (i == 2) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	want := []string{
		`hook: true "one", at 1`, `id: true "one", at 1`, `commit 1 [a]: true "one", at 1`,
		`commit 2 []: true "one", at 2`,
		`hook: true "last", at 3`, `id: true "last", at 3`, `commit 3 [a]: true "last", at 3`,
		`id: false "", at 4`, `commit 4 [a]: false "", at 4`,
		`id: true "ubuntu:22.04", at 5`, `commit 5 [a]: true "ubuntu:22.04", at 5`,
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%q, want\n%q", told, want)
	}
}

// present is the revision as the committer itself may read it, which holds the lock of AtSnapshot.
func present(s *Store) uint64 {
	return s.index.snapshot().Revision
}

// TestRevisionForEachTouched: the containers of one transaction have revisions of their
// own, in a row, which nobody else gets, also when the program ends in between.
func TestRevisionForEachTouched(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	addVolume(t, s)
	base := still(s).Revision
	var commits []Commit
	defer s.SubscribeCommits(func(c Commit) { commits = append(commits, c) })()
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		for _, id := range []string{"c", "a", "b"} {
			if _, err := tx.CreateContainer(spec(id)); err != nil {
				return err
			}
		}
		tx.Touch("a", "d")
		return nil
	}))
	errs := together(t, s,
		func(tx *Tx) error { tx.Touch("a", "b"); return tx.Set([]byte("x"), nil) },
		func(tx *Tx) error { return tx.Set([]byte("y"), nil) },
		func(tx *Tx) error { tx.Touch("c"); return tx.Set([]byte("z"), nil) })
	must(t, errors.Join(errs...))
	must(t, s.Update(t.Context(), set("w", "1")))
	want := []Commit{{base + 4, []string{"a", "b", "c", "d"}}, {base + 6, []string{"a", "b"}}, {base + 7, nil}, {base + 8, []string{"c"}}, {base + 9, nil}}
	if !reflect.DeepEqual(commits, want) {
		t.Errorf("told of %v, want %v", commits, want)
	}
	if first := want[0].RevisionOf(0); first != base+1 {
		t.Errorf("the first of four is %d, want %d", first, base+1)
	}
	at := Snapshot{Revision: base + 9, Shown: base + 8}
	if got := still(s); got != at {
		t.Errorf("now it is %+v, want %+v", got, at)
	}
	closeStore(t, s)
	s = open(t, dir, Options{})
	if got := still(s); got != at {
		t.Errorf("reopened at %+v, want %+v", got, at)
	}
}

// TestAtSnapshot: meanwhile nothing is published, and reads agree.
func TestAtSnapshot(t *testing.T) {
	s := openWithVolume(t)
	create(t, s, spec("a"))
	hooked := make(chan struct{})
	done := make(chan error, 1)
	s.AtSnapshot(func(at Snapshot) {
		go func() {
			done <- s.Update(context.Background(), func(tx *Tx) error {
				tx.AfterCommit(func() { close(hooked) })
				_, err := tx.CreateContainer(spec("b"))
				return err
			})
		}()
		// On disk, and in no memory yet.
		waitFor(t, func() bool { _, err := get(t, s, "c/b"); return err == nil })
		select {
		case <-hooked:
			t.Error("published meanwhile")
		default:
		}
		if ids := len(s.Containers()); ids != 1 || at.Revision != present(s) {
			t.Errorf("%d containers at %+v", ids, at)
		}
	})
	must(t, <-done)
	if n := len(s.Containers()); n != 2 {
		t.Errorf("%d containers", n)
	}
}

// waitFor waits until cond holds.
func waitFor(t testing.TB, cond func() bool) {
	t.Helper()
	eventually.Poll(t, func() error {
		if !cond() {
			return errors.New("the condition does not hold")
		}
		return nil
	})
}
