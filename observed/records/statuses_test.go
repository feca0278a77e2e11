package records

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"lightd/desired/store"
	"lightd/observed/status"
)

func openStatuses(t testing.TB, dir string) (*Statuses, *store.Store) {
	t.Helper()
	s, err := store.Open(dir, store.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	r, err := OpenStatuses(s.DB)
	must(t, err)
	return r, s
}

func TestStatuses(t *testing.T) {
	dir := t.TempDir()
	r, s := openStatuses(t, dir)
	var notified []string
	cancel := r.Subscribe(func(id string) {
		_, ok := r.Get(id)
		notified = append(notified, id+map[bool]string{true: " is", false: " is not"}[ok])
	})
	defer cancel()
	now := time.Now()
	a := status.Status{InternalID: "a", State: status.StateBackOff, Backoff: status.Backoff{NotBefore: now}, Process: status.Process{LastExit: &status.Exit{Code: 3, At: now}}}
	must(t, s.Update(t.Context(), func(tx *store.Tx) error {
		must(t, r.Put(tx.Tx, a))
		if _, ok := r.Get("a"); ok {
			t.Error("shown before it is on disk")
		}
		return r.Put(tx.Tx, status.Status{InternalID: "b"})
	}))
	a.Version = 1
	failed := errors.New("no")
	if err := s.Update(t.Context(), func(tx *store.Tx) error { must(t, r.Delete(tx.Tx, "a")); return failed }); !errors.Is(err, failed) {
		t.Fatal(err)
	}
	if got, ok := r.Get("a"); !ok || !reflect.DeepEqual(got, a) {
		t.Errorf("memory holds %+v, want the very value that was put", got)
	}
	must(t, s.Update(t.Context(), func(tx *store.Tx) error { return r.Delete(tx.Tx, "b") }))
	if want := []string{"a is", "b is", "b is not"}; !reflect.DeepEqual(notified, want) {
		t.Errorf("got %q, want %q", notified, want)
	}
	must(t, s.Close())

	r, _ = openStatuses(t, dir)
	got, ok := r.Get("a")
	if !ok || !got.NotBefore.Equal(now) || got.LastExit.Code != 3 {
		t.Errorf("reopened: %+v", got)
	}
	if _, ok := r.Get("b"); ok {
		t.Error("b is back")
	}
}

// TestPutOfAStaleDecision: one that is recorded already, and one on a container
// that was deleted meanwhile.
func TestPutOfAStaleDecision(t *testing.T) {
	r, s := openStatuses(t, t.TempDir())
	put := func(st status.Status) error {
		return s.Update(t.Context(), func(tx *store.Tx) error { return r.Put(tx.Tx, st) })
	}
	first := status.Status{InternalID: "a"}
	must(t, put(first))
	if err := put(first); !errors.Is(err, ErrStale) {
		t.Errorf("a decision was recorded twice: %v", err)
	}
	second, _ := r.Get("a")
	// Two of one batch: the second sees the first, though memory does not yet.
	must(t, s.Update(t.Context(), func(tx *store.Tx) error {
		must(t, r.Put(tx.Tx, second))
		if err := r.Put(tx.Tx, second); !errors.Is(err, ErrStale) {
			t.Errorf("twice in one transaction: %v", err)
		}
		return nil
	}))
	third, _ := r.Get("a")
	must(t, s.Update(t.Context(), func(tx *store.Tx) error { return r.Delete(tx.Tx, "a") }))
	if err := put(third); !errors.Is(err, ErrStale) {
		t.Errorf("a record came back from the dead: %v", err)
	}
	must(t, put(first))
}
