package records

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed/status"
)

// touchedBy keeps what each commit touched.
func touchedBy(t *testing.T, s *store.Store) *[][]string {
	var all [][]string
	t.Cleanup(s.SubscribeCommits(func(c store.Commit) { all = append(all, c.Touched) }))
	return &all
}

// TestVisibleChangeTakesARevision, and an internal one does not.
func TestVisibleChangeTakesARevision(t *testing.T) {
	r, s := openStatuses(t, t.TempDir())
	touched := touchedBy(t, s)
	put := func(fn func(*status.Status)) {
		must(t, s.Update(t.Context(), func(tx *store.Tx) error {
			st, _ := r.Get("a")
			st = st.Clone()
			st.InternalID = "a"
			fn(&st)
			return r.Put(tx.Tx, st)
		}))
	}
	exit := time.Now()
	put(func(st *status.Status) { st.State, st.LastExit = status.StateRunning, &status.Exit{At: exit} })
	put(func(st *status.Status) { st.Pulling, st.Differs = "x", map[string]time.Time{"name": exit} })
	put(func(st *status.Status) { st.LastExit = &status.Exit{At: exit.UTC()} })
	put(func(st *status.Status) { st.State = status.StateOffline })
	// There and back in two transactions of one commit: memory shows the first no sooner.
	held, hold := make(chan struct{}), make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() {
		must(t, s.Update(t.Context(), func(*store.Tx) error { close(held); <-hold; return nil }))
	})
	<-held
	st, _ := r.Get("a")
	for _, state := range []status.State{status.StateRunning, status.StateOffline} {
		next := st
		next.State = state
		both.Go(func() {
			for errors.Is(s.Update(t.Context(), func(tx *store.Tx) error { return r.Put(tx.Tx, next) }), ErrStale) {
			}
		})
		st.Version++
	}
	close(hold)
	both.Wait()
	must(t, s.Update(t.Context(), func(tx *store.Tx) error { return r.Delete(tx.Tx, "a") }))
	want := [][]string{{"a"}, nil, nil, {"a"}, {"a"}, {"a"}, {"a"}}
	if !slices.EqualFunc(*touched, want, slices.Equal) {
		t.Errorf("touched %v, want %v", *touched, want)
	}
}

// TestEngineStatus is recorded once for each time that it changes, survives a restart, and makes
// every container look different.
func TestEngineStatus(t *testing.T) {
	dir := t.TempDir()
	r, s := openStatuses(t, dir)
	if !r.EngineStatus().Up {
		t.Error("an engine that was never lost is down")
	}
	volumes, err := s.Volumes(t.Context(), t.TempDir())
	must(t, err)
	defer volumes.Close()
	v, err := volumes.Create(t.Context(), store.Creator{})
	must(t, err)
	for _, id := range []string{"b", "a"} {
		spec := desired.DefaultSpec()
		spec.InternalID, spec.Image, spec.VolumeID, spec.StartupCommand = id, "img", v.ID, "run"
		_, err := s.Create(t.Context(), spec)
		must(t, err)
	}
	touched := touchedBy(t, s)
	since := time.Now().Round(0).UTC()
	sight := func(up bool) error {
		return s.Update(t.Context(), func(tx *store.Tx) error { return r.PutEngineStatus(tx, status.EngineStatus{Up: up, Since: since}) })
	}
	for _, up := range []bool{true, false, false} {
		must(t, sight(up))
	}
	failed := errors.New("no")
	if err := s.Update(t.Context(), func(tx *store.Tx) error {
		must(t, r.PutEngineStatus(tx, status.EngineStatus{Up: true}))
		return failed
	}); !errors.Is(err, failed) || r.EngineStatus().Up {
		t.Errorf("of a transaction that failed: %v, %+v", err, r.EngineStatus())
	}
	if want := [][]string{{"a", "b"}}; !slices.EqualFunc(*touched, want, slices.Equal) {
		t.Errorf("touched %v, want %v", *touched, want)
	}
	must(t, s.Close())
	r, _ = openStatuses(t, dir)
	if got := r.EngineStatus(); got.Up || !got.Since.Equal(since) {
		t.Errorf("reopened: %+v", got)
	}
}
