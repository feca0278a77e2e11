package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/hack/eventually"
	"lightd/hack/harness"
)

func TestMain(m *testing.M) {
	eventually.Main(m, eventually.LeftByBadger()...)
}

func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
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

var (
	must    = harness.Must
	wantErr = harness.WantErr
)

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
	made, err := v.Create(t.Context(), Creator{})
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

// TestUnknownFormatIsRefused: a value of another version of the program keeps the database from
// being opened.
func TestUnknownFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, open(t, dir, Options{}))
	db, err := badger.Open(badger.DefaultOptions(dir).WithCompression(options.None).WithLogger(nil))
	must(t, err)
	must(t, db.Update(func(txn *badger.Txn) error { return txn.Set(containerKey("a"), []byte{9, '{', '}'}) }))
	must(t, db.Close())
	_, err = Open(dir, Options{})
	var format *kv.FormatError
	if !errors.As(err, &format) || format.Format != 9 {
		t.Fatalf("open: %v", err)
	}
}
