package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lightd/desired"
	"lightd/hack/eventually"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(asWriter); dir != "" {
		fmt.Fprintln(os.Stderr, writeForever(dir))
		os.Exit(1)
	}
	// What is beneath leaves these behind where it refuses to open.
	eventually.Main(m, goleak.IgnoreTopFunction("github.com/dgraph-io/badger/v4.(*DB).monitorCache"),
		goleak.IgnoreTopFunction("github.com/dgraph-io/ristretto/v2/z.(*AllocatorPool).freeupAllocators"))
}

func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	if o.Rules.Cores == 0 {
		o.Rules.Cores = 4
	}
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

const testVolume = "d6764075-c5f1-4045-9fb3-85315b85cb0f"

// openWithVolume opens a new store that has testVolume and ports.
func openWithVolume(t testing.TB, ports ...desired.Endpoint) *Store {
	t.Helper()
	s := open(t, t.TempDir(), Options{})
	addVolume(t, s)
	if len(ports) > 0 {
		must(t, s.AddPorts(t.Context(), ports))
	}
	return s
}

func addVolume(t testing.TB, s *Store) {
	t.Helper()
	must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.putVolume(testVolume, volumeRecord{CreatedAt: tx.Now()}) }))
}

func spec(id string, ports ...desired.Port) desired.Spec {
	s := desired.DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand = id, "ubuntu:22.04", testVolume, "sleep 1"
	s.Ports = append(s.Ports, ports...)
	return s
}

func tcp(ip string, port int) desired.Endpoint {
	return desired.Endpoint{IP: ip, Port: port, Protocol: desired.TCP}
}

func bind(ip string, port int) desired.Port {
	return desired.Port{IP: ip, Port: port, Protocol: desired.TCP}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func create(t testing.TB, s *Store, sp desired.Spec) desired.Container {
	t.Helper()
	c, err := s.Create(t.Context(), sp)
	must(t, err)
	return c
}

func change(t testing.TB, s *Store, id string, fn func(*desired.Container)) desired.Container {
	t.Helper()
	c, err := s.Change(t.Context(), id, func(c *desired.Container) error { fn(c); return nil })
	must(t, err)
	return c
}

// set writes one raw key.
func set(key, value string) func(*Tx) error {
	return func(tx *Tx) error { return tx.Set([]byte(key), []byte(value)) }
}

func get(t testing.TB, s *Store, key string) (string, error) {
	t.Helper()
	var out []byte
	err := s.View(func(tx *Tx) (err error) { out, err = tx.Get([]byte(key)); return err })
	return string(out), err
}

func still(s *Store) (at Snapshot) {
	s.AtSnapshot(func(now Snapshot) { at = now })
	return at
}

// snapshot is all containers, and the revision as of which they are.
func snapshot(s *Store) (all []desired.Container, revision uint64) {
	s.AtSnapshot(func(now Snapshot) { all, revision = s.Containers(), now.Revision })
	return all, revision
}

func TestReopenKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	addVolume(t, s)
	must(t, s.AddPorts(t.Context(), []desired.Endpoint{tcp("0.0.0.0", 1000), tcp("0.0.0.0", 1001)}))
	create(t, s, spec("a", bind("0.0.0.0", 1000)))
	create(t, s, spec("b"))
	var seq uint64
	must(t, s.Update(t.Context(), func(tx *Tx) error { seq = tx.NextSeq(); return tx.Set([]byte("e/x"), nil) }))
	must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.Delete([]byte("e/x")) }))
	before, moment := s.Containers(), still(s)
	pool, err := s.Ports()
	must(t, err)
	instance := s.Instance()
	closeStore(t, s)

	s = open(t, dir, Options{})
	after := s.Containers()
	if got := still(s); !reflect.DeepEqual(after, before) || got != moment || s.Instance() != instance {
		t.Errorf("reopened: %+v, instance %s, %+v\nbefore: %+v, %s, %+v", got, s.Instance(), after, moment, instance, before)
	}
	if again, err := s.Ports(); err != nil || !reflect.DeepEqual(again, pool) {
		t.Errorf("pool %+v, want %+v: %v", again, pool, err)
	}
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		if next := tx.NextSeq(); next <= seq {
			t.Errorf("sequence number %d after %d", next, seq)
		}
		if tx.Revision() <= moment.Revision {
			t.Errorf("revision %d after %d", tx.Revision(), moment.Revision)
		}
		return nil
	}))
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	_, err := Open(dir, Options{})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID == 0 {
		t.Fatalf("second open: %v", err)
	}
	closeStore(t, s)
	open(t, dir, Options{})
}

func TestUnknownFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	txn := s.db.NewTransaction(true)
	must(t, txn.Set(containerKey("a"), []byte{9, '{', '}'}))
	must(t, txn.Commit())
	closeStore(t, s)
	_, err := Open(dir, Options{})
	var format *FormatError
	if !errors.As(err, &format) || format.Format != 9 {
		t.Fatalf("open: %v", err)
	}
}

func TestFailuresInABatchStayAlone(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	// The first write holds the committer until the others are queued behind it, so
	// that they share its batch.
	entered, release := make(chan struct{}), make(chan struct{})
	errs := make([]error, 7)
	ended, cancel := context.WithCancel(t.Context())
	writes := []func(*Tx) error{
		func(tx *Tx) error { close(entered); <-release; return tx.Set([]byte("x/0"), []byte("0")) },
		set("x/1", "1"),
		func(tx *Tx) error { return errors.Join(tx.Set([]byte("x/2"), nil), errors.New("changed my mind")) },
		func(tx *Tx) error { _ = tx.Set([]byte("x/3"), nil); panic("boom") },
		func(tx *Tx) error {
			if v, err := tx.Get([]byte("x/1")); err != nil || string(v) != "1" {
				return fmt.Errorf("earlier write of the batch: %q, %w", v, err)
			}
			return tx.Set([]byte("x/4"), []byte("4"))
		},
		func(tx *Tx) error {
			for i := range s.maxCount + 1 {
				_ = tx.Set(fmt.Appendf(nil, "x/5/%d", i), nil)
			}
			return nil
		},
		set("x/6", "6"),
	}
	var all sync.WaitGroup
	for i, fn := range writes {
		ctx := t.Context()
		if i == 6 {
			ctx = ended
		}
		all.Go(func() { errs[i] = s.Update(ctx, fn) })
		if i == 0 {
			<-entered
		} else {
			waitFor(t, func() bool { return len(s.queue) == i })
		}
	}
	cancel()
	close(release)
	all.Wait()
	for i, ok := range []bool{true, true, false, false, true, false, false} {
		if (errs[i] == nil) != ok {
			t.Errorf("write %d: %v", i, errs[i])
		}
	}
	wantErr(t, errs[5], desired.ErrTooLarge)
	wantErr(t, errs[6], desired.ErrUnavailable)
	var keys []string
	must(t, s.View(func(tx *Tx) error {
		return tx.ScanKeys([]byte("x/"), nil, func(k []byte) bool { keys = append(keys, string(k)); return true })
	}))
	if want := []string{"x/0", "x/1", "x/4"}; !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}
	must(t, s.Ping(t.Context()))
}

// waitFor yields until cond holds; it is for conditions that another goroutine is bound
// to bring about.
func waitFor(t testing.TB, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(eventually.Bound); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

func TestWritersBeyondOneTransaction(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	var all sync.WaitGroup
	half := s.maxCount*2/3 + 1
	for w := range 3 {
		all.Go(func() {
			err := s.Update(t.Context(), func(tx *Tx) error {
				for i := range half {
					if err := tx.Set(fmt.Appendf(nil, "y/%d/%d", w, i), []byte{1}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var n int64
	must(t, s.View(func(tx *Tx) error {
		return tx.ScanKeys([]byte("y/"), nil, func([]byte) bool { n++; return true })
	}))
	if at := still(s); n != 3*half || at.Revision != 3 || at.Shown != 0 {
		t.Errorf("%d keys, want %d; %+v", n, 3*half, at)
	}
}

func TestTimeout(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	entered, release := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- s.Update(ctx, func(tx *Tx) error { close(entered); <-release; return tx.Set([]byte("x"), nil) })
	}()
	<-entered
	cancel()
	wantErr(t, <-done, desired.ErrUnavailable)
	close(release)
	must(t, s.Ping(t.Context()))
	if _, err := get(t, s, "x"); err != nil {
		t.Errorf("the write was under way: %v", err)
	}
}

func TestClosedStore(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	closeStore(t, s)
	wantErr(t, s.Ping(t.Context()), desired.ErrClosed)
	wantErr(t, s.View(func(*Tx) error { return nil }), desired.ErrClosed)
}

func TestDiskFull(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	s := open(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) { return free.Load(), nil }})
	must(t, s.Update(t.Context(), set("x", "1")))
	free.Store(63 << 20)
	wantErr(t, s.Update(t.Context(), set("x", "2")), desired.ErrDiskFull)
	must(t, s.Ping(t.Context()))
	if v, err := get(t, s, "x"); err != nil || v != "1" {
		t.Errorf("read %q, %v on a full disk", v, err)
	}
	free.Store(1 << 40)
	must(t, s.Update(t.Context(), set("x", "2")))
}

func TestScanSeesOwnWrites(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		for _, k := range []string{"a/0", "k/1", "k/2", "k/4", "k/6", "l/0"} {
			if err := set(k, "old")(tx); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, s.DryRun(func(tx *Tx) error {
		for _, err := range []error{set("k/0", "new")(tx), set("k/2", "new")(tx), tx.Delete([]byte("k/4")), set("k/5", "")(tx), set("k/7", "new")(tx), set("j/9", "new")(tx)} {
			must(t, err)
		}
		scan := func(from string, limit int) (out []string) {
			must(t, tx.Scan([]byte("k/"), []byte(from), func(k, v []byte) bool {
				out = append(out, string(k)+"="+string(v))
				return len(out) < limit
			}))
			return out
		}
		if got, want := scan("", 99), []string{"k/0=new", "k/1=old", "k/2=new", "k/5=", "k/6=old", "k/7=new"}; !slices.Equal(got, want) {
			t.Errorf("all: %v, want %v", got, want)
		}
		if got, want := scan("k/2", 2), []string{"k/2=new", "k/5="}; !slices.Equal(got, want) {
			t.Errorf("two from k/2: %v, want %v", got, want)
		}
		return nil
	}))
	if _, err := get(t, s, "k/0"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a try left something behind: %v", err)
	}
}

func TestOrderAfterCommit(t *testing.T) {
	s := openWithVolume(t)
	var revisions []uint64
	var heard []string
	defer s.Subscribe(func(id string) {
		if _, ok := s.Container(id); !ok {
			t.Errorf("told of %s before it can be read", id)
		}
		heard = append(heard, id)
	})()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			err := s.Update(t.Context(), func(tx *Tx) error {
				tx.AfterCommit(func() { revisions = append(revisions, tx.Revision()) })
				_, err := tx.CreateContainer(spec(fmt.Sprintf("c%d", i)))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(revisions) != 50 || !slices.IsSorted(revisions) || len(slices.Compact(revisions)) != 50 {
		t.Errorf("revisions of the hooks: %v", revisions)
	}
	if len(heard) != 50 {
		t.Errorf("told of %d containers, want 50", len(heard))
	}
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		tx.AfterCommit(func() { panic("boom") })
		return nil
	}))
	must(t, s.Ping(t.Context()))
}

func TestVolumes(t *testing.T) {
	dir, volumesDir := t.TempDir(), filepath.Join(t.TempDir(), "volumes")
	s := open(t, dir, Options{})
	v, err := s.Volumes(t.Context(), volumesDir)
	must(t, err)
	defer func() { must(t, v.Close()) }()
	made, err := v.Create(t.Context())
	must(t, err)
	testVolumeContents(t, v, made)

	sp := spec("a")
	sp.VolumeID = made.ID
	create(t, s, sp)
	wantErr(t, v.Delete(t.Context(), made.ID), desired.ErrVolumeInUse)
	if users := v.Users(made.ID); !slices.Equal(users, []string{"a"}) {
		t.Errorf("users %v", users)
	}
	change(t, s, "a", func(c *desired.Container) { c.Deleting = true })
	must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.RemoveContainer("a") }))
	must(t, v.Delete(t.Context(), made.ID))
	_, err = v.Get(made.ID)
	wantErr(t, err, desired.ErrVolumeNotFound)
	wantErr(t, v.Delete(t.Context(), made.ID), desired.ErrVolumeNotFound)
	_, err = s.Create(t.Context(), sp)
	wantErr(t, err, desired.ErrVolumeNotFound)
}
