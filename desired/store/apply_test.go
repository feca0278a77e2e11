package store

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"lightd/desired"
	"lightd/desired/kv"
)

// apply returns what an Apply did, as in "a created 1".
func apply(t testing.TB, s *Store, l List) string {
	t.Helper()
	written, err := s.Apply(t.Context(), l)
	must(t, err)
	return told(written)
}

func told(written []Written) string {
	var b strings.Builder
	for _, w := range written {
		fmt.Fprintf(&b, "%s %s %d, ", w.InternalID, w.Action, w.Generation)
	}
	return strings.TrimSuffix(b.String(), ", ")
}

func poolOf(first, count int) (pool []desired.Endpoint) {
	for port := range count {
		pool = append(pool, tcp("0.0.0.0", first+port))
	}
	return pool
}

func TestApply(t *testing.T) {
	s := openWithVolume(t, poolOf(10, 10)...)
	all := func(desired.Container) bool { return true }
	list := List{Specs: []desired.Spec{spec("c", bind("", 0)), spec("a", bind("", 0), bind("", 10)), spec("b")}}
	if got := apply(t, s, list); got != "c created 1, a created 1, b created 1" {
		t.Fatalf("got %s", got)
	}
	a, _ := s.Container("a")
	c, _ := s.Container("c")
	if a.Ports[0].Port != 12 || c.Ports[0].Port != 11 || a.Revision != c.Revision {
		t.Errorf("a has %+v, c has %+v: a port that the list names is no other's", a, c)
	}
	before, revision := snapshot(s)
	notified := 0
	defer s.Subscribe(func(string) { notified++ })()
	if got := apply(t, s, list); got != "c unchanged 1, a unchanged 1, b unchanged 1" {
		t.Errorf("the same again: %s", got)
	}
	must(t, s.Ping(t.Context()))
	if after, now := snapshot(s); now != revision || notified != 0 || !reflect.DeepEqual(after, before) {
		t.Errorf("the same again wrote revision %d after %d and told %d", now, revision, notified)
	}
	list.Specs[0].Env = map[string]string{"A": "b"}
	list.Specs, list.Prune = append(list.Specs[:2:2], spec("d")), all
	if got := apply(t, s, list); got != "c updated 2, a unchanged 1, d created 1, b deleted 2" {
		t.Errorf("got %s", got)
	}
	if got := apply(t, s, list); got != "c unchanged 2, a unchanged 1, d unchanged 1" {
		t.Errorf("what is being deleted is deleted again: %s", got)
	}
	for _, id := range []string{"a", "b", "c", "d"} {
		if b, _ := s.Container(id); b.Deleting != (id == "b") {
			t.Errorf("%s: %+v", id, b)
		}
	}
}

func TestApplyIsAllOrNothing(t *testing.T) {
	s := openWithVolume(t, poolOf(10, 2)...)
	create(t, s, spec("held", bind("", 10)))
	create(t, s, spec("going"))
	change(t, s, "going", func(c *desired.Container) { c.Deleting = true })
	before, revision := snapshot(s)
	strange := spec("x")
	strange.VolumeID = "00000000-0000-4000-8000-000000000000"
	bad := spec("x")
	bad.Image, bad.Env = "", map[string]string{"": "x"}
	cases := map[string]struct {
		specs []desired.Spec
		word  desired.Error
		text  string
	}{
		"all that is not valid": {[]desired.Spec{bad, spec("y"), spec("..")}, "",
			"containers[0].env: must not have an empty key; containers[0].image: is required; containers[2].internal_id: must be 1"},
		"two for one port":  {[]desired.Spec{spec("x", bind("", 11)), spec("y", bind("", 11))}, "", "containers[1].ports[0]: 0.0.0.0:11/tcp overlaps containers[0].ports[0]"},
		"an id twice":       {[]desired.Spec{spec("x"), spec("x")}, "", "containers[1].internal_id: is that of containers[0]"},
		"a port held":       {[]desired.Spec{spec("x"), spec("y", bind("", 11), bind("", 10))}, desired.ErrPortInUse, "containers[1].ports[1]: Port already in use: 0.0.0.0:10/tcp is held by container held"},
		"a foreign port":    {[]desired.Spec{spec("x"), spec("y", bind("", 80))}, desired.ErrPortNotInPool, "containers[1].ports[0]: "},
		"no port left":      {[]desired.Spec{spec("x", bind("", 0)), spec("y", bind("", 0))}, desired.ErrNoPorts, "containers[1].ports[0]: "},
		"no volume":         {[]desired.Spec{spec("y"), strange}, desired.ErrVolumeNotFound, "containers[1].volume_id: "},
		"one that is going": {[]desired.Spec{spec("y"), spec("going")}, desired.ErrDeleting, "containers[1]: "},
	}
	for name, c := range cases {
		for how, run := range map[string]func(List) error{
			"applied": func(l List) error { _, err := s.Apply(t.Context(), l); return err },
			"tried":   func(l List) error { return s.DryRun(func(tx *Tx) error { _, err := tx.Apply(l); return err }) },
		} {
			err := run(List{Specs: c.specs, Prune: func(desired.Container) bool { return true }})
			var invalid *desired.ValidationError
			if c.word != "" && !errors.Is(err, c.word) || c.word == "" && !errors.As(err, &invalid) || err == nil || !strings.HasPrefix(err.Error(), c.text) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
	if after, now := snapshot(s); now != revision || !reflect.DeepEqual(after, before) {
		t.Errorf("something was written: %+v", after)
	}
	if p, err := s.Port(tcp("0.0.0.0", 11)); err != nil || p.InUse {
		t.Errorf("port 11: %+v, %v", p, err)
	}
}

// TestTryIsUpdate: what Try says of a list is what Apply then does, and it writes nothing.
func TestTryIsUpdate(t *testing.T) {
	s := openWithVolume(t, poolOf(10, 3)...)
	create(t, s, spec("old"))
	list := List{Specs: []desired.Spec{spec("b", bind("", 0)), spec("a", bind("", 10))}, Prune: func(desired.Container) bool { return true }}
	before, revision := snapshot(s)
	var tried []Written
	must(t, s.DryRun(func(tx *Tx) (err error) { tried, err = tx.Apply(list); return err }))
	if after, now := snapshot(s); now != revision || !reflect.DeepEqual(after, before) {
		t.Fatalf("Try wrote %+v", after)
	}
	done, err := s.Apply(t.Context(), list)
	must(t, err)
	if told(tried) != told(done) || !reflect.DeepEqual(tried[0].Spec, done[0].Spec) || tried[0].Revision != done[0].Revision {
		t.Errorf("tried %+v\ndone %+v", tried, done)
	}
	if err := s.DryRun(func(*Tx) error { panic("oh") }); err == nil {
		t.Error("a panic is no error")
	}
}

func TestTryRefusesWhatUpdateWould(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	s := open(t, t.TempDir(), Options{Database: kv.Options{FreeSpace: func(string) (uint64, error) { return free.Load(), nil }}})
	many := func(tx *Tx) error {
		for i := range 100_000 {
			if err := tx.Set(fmt.Appendf(nil, "x%d", i), nil); err != nil {
				return err
			}
		}
		return nil
	}
	wantErr(t, s.DryRun(many), desired.ErrTooLarge)
	wantErr(t, s.Update(t.Context(), many), desired.ErrTooLarge)
	free.Store(0)
	wantErr(t, s.DryRun(set("x", "y")), desired.ErrDiskFull)
	must(t, s.DryRun(func(tx *Tx) error { _, err := tx.Containers(); return err }))
}

// TestWritesOfOneBatchSeeEachOther: memory knows nothing of what waits for the same commit.
func TestWritesOfOneBatchSeeEachOther(t *testing.T) {
	s := openWithVolume(t)
	create(t, s, spec("old"))
	errs := together(t, s, func(tx *Tx) error {
		if _, err := tx.CreateContainer(spec("new")); err != nil {
			return err
		}
		_, err := tx.ChangeContainer("old", func(c *desired.Container) error { c.Deleting = true; return nil })
		return err
	}, func(tx *Tx) error {
		old, err := tx.Container("old")
		if err != nil || !old.Deleting {
			return fmt.Errorf("old is %+v: %w", old, err)
		}
		if err := tx.RemoveContainer("old"); err != nil {
			return err
		}
		all, err := tx.Containers()
		if err != nil || len(all) != 1 || all[0].InternalID != "new" {
			return fmt.Errorf("there are %+v: %w", all, err)
		}
		if _, err := tx.Container("old"); !errors.Is(err, desired.ErrContainerNotFound) {
			return fmt.Errorf("old is still there: %w", err)
		}
		_, err = tx.ChangeContainer("new", func(c *desired.Container) error { c.Power = desired.PowerRunning; return nil })
		return err
	})
	must(t, errors.Join(errs...))
	if c, _ := s.Container("new"); c.Generation != 2 || len(s.Containers()) != 1 {
		t.Errorf("got %+v", s.Containers())
	}
}

// large is a list of specs, each with ports of its own that are named or to be assigned.
func large(specs, ports int, assigned bool, script int) (List, []desired.Endpoint) {
	pool := poolOf(2000, specs*ports)
	var l List
	for i := range specs {
		sp := spec(fmt.Sprintf("server-%04d", i))
		sp.InstallScript = strings.Repeat("x", script)
		for j := range ports {
			p := bind("", 0)
			if !assigned {
				p.Port = 2000 + i*ports + j
			}
			sp.Ports = append(sp.Ports, p)
		}
		l.Specs = append(l.Specs, sp)
	}
	return l, pool
}

// TestLargestApply: what the contract promises fits, and what does not is refused whole.
func TestLargestApply(t *testing.T) {
	t.Run("as large as may be", func(t *testing.T) { // one of larger scripts is TestLargestChange's
		const script = 2500 // for the tables of the database, had it room for all
		l, pool := large(2000, 10, true, script)
		s := openWithVolume(t, pool...)
		if got := apply(t, s, l); strings.Count(got, "created 1") != 2000 {
			t.Errorf("got %.200s", got)
		}
		if last, _ := s.Container("server-1999"); last.Ports[9].Port != 2000+20000-1 || len(last.InstallScript) != script {
			t.Errorf("the last has %+v and a script of %d bytes", last.Ports, len(last.InstallScript))
		}
	})
	t.Run("too large", func(t *testing.T) {
		l, pool := large(60, 1000, false, 0)
		s := openWithVolume(t, pool[:len(pool)/2]...)
		must(t, s.AddPorts(t.Context(), pool[len(pool)/2:]))
		_, err := s.Apply(t.Context(), l)
		wantErr(t, err, desired.ErrTooLarge)
		if len(s.Containers()) != 0 {
			t.Error("something was written")
		}
	})
}
