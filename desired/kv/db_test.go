package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lightd/desired"
	"lightd/hack/eventually"
	"lightd/hack/harness"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(asWriter); dir != "" {
		fmt.Fprintln(os.Stderr, writeForever(dir))
		os.Exit(1)
	}
	eventually.Main(m, eventually.LeftByBadger()...)
}

func open(t testing.TB, dir string, o Options) *DB {
	t.Helper()
	db, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDB(t, db) })
	return db
}

func closeDB(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

var (
	must    = harness.Must
	wantErr = harness.WantErr
)

// set writes one key.
func set(key, value string) func(*Tx) error {
	return func(tx *Tx) error { return tx.Set([]byte(key), []byte(value)) }
}

func get(t testing.TB, db *DB, key string) (string, error) {
	t.Helper()
	var out []byte
	err := db.View(func(tx *Tx) (err error) { out, err = tx.Get([]byte(key)); return err })
	return string(out), err
}

// revision is that of the last commit.
func revision(t testing.TB, db *DB) (at uint64) {
	t.Helper()
	must(t, db.View(func(tx *Tx) error { at = tx.Revision(); return nil }))
	return at
}

// waitQueued waits until so many writes wait for the committer.
func waitQueued(t testing.TB, db *DB, n int) {
	t.Helper()
	eventually.Poll(t, func() error {
		if got := db.Queued(); got != n {
			return fmt.Errorf("%d writes are queued, want %d", got, n)
		}
		return nil
	})
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, Options{})
	_, err := Open(dir, Options{})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID == 0 {
		t.Fatalf("second open: %v", err)
	}
	closeDB(t, db)
	open(t, dir, Options{})
}

func TestClosed(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	closeDB(t, db)
	wantErr(t, db.Ping(t.Context()), desired.ErrClosed)
	wantErr(t, db.View(func(*Tx) error { return nil }), desired.ErrClosed)
}

func TestTimeout(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	entered, release := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- db.Update(ctx, func(tx *Tx) error { close(entered); <-release; return tx.Set([]byte("x"), nil) })
	}()
	<-entered
	cancel()
	wantErr(t, <-done, desired.ErrUnavailable)
	close(release)
	must(t, db.Ping(t.Context()))
	if _, err := get(t, db, "x"); err != nil {
		t.Errorf("the write was under way: %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	o := Options{FreeSpace: func(string) (uint64, error) { return free.Load(), nil }}
	db := open(t, t.TempDir(), o)
	must(t, db.Update(t.Context(), set("x", "1")))
	free.Store(63 << 20)
	err := db.Update(t.Context(), set("x", "2"))
	if wantErr(t, err, desired.ErrDiskFull); !strings.Contains(err.Error(), "Stop or delete containers") {
		t.Errorf("open: %v", err)
	}
	_, err = Open(t.TempDir(), o)
	if wantErr(t, err, desired.ErrDiskFull); !strings.Contains(err.Error(), "Remove other files there") {
		t.Errorf("to be opened: %v", err)
	}
	must(t, db.Ping(t.Context()))
	if v, err := get(t, db, "x"); err != nil || v != "1" {
		t.Errorf("read %q, %v on a full disk", v, err)
	}
	free.Store(1 << 40)
	must(t, db.Update(t.Context(), set("x", "2")))
}

func TestFailuresInABatchStayAlone(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
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
			for i := range db.engine.maxCount + 1 {
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
		all.Go(func() { errs[i] = db.Update(ctx, fn) })
		if i == 0 {
			<-entered
		} else {
			waitQueued(t, db, i)
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
	must(t, db.View(func(tx *Tx) error {
		return tx.ScanKeys([]byte("x/"), nil, func(k []byte) bool { keys = append(keys, string(k)); return true })
	}))
	if want := []string{"x/0", "x/1", "x/4"}; !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}
	must(t, db.Ping(t.Context()))
}

func TestWritersBeyondOneTransaction(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	var all sync.WaitGroup
	half := db.engine.maxCount*2/3 + 1
	for w := range 3 {
		all.Go(func() {
			err := db.Update(t.Context(), func(tx *Tx) error {
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
	must(t, db.View(func(tx *Tx) error {
		return tx.ScanKeys([]byte("y/"), nil, func([]byte) bool { n++; return true })
	}))
	if at := revision(t, db); n != 3*half || at != 3 {
		t.Errorf("%d keys, want %d; revision %d", n, 3*half, at)
	}
}

func TestScanSeesOwnWrites(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	must(t, db.Update(t.Context(), func(tx *Tx) error {
		for _, k := range []string{"a/0", "k/1", "k/2", "k/4", "k/6", "l/0"} {
			if err := set(k, "old")(tx); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, db.DryRun(func(tx *Tx) error {
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
	if _, err := get(t, db, "k/0"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a try left something behind: %v", err)
	}
}

// TestLargeTransaction: no more values than necessary are padded, and each is read back with spaces at its
// end at the most.
func TestLargeTransaction(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	const n, size = 3000, 1700 // more than a commit can hold in the memtable
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		for i := range n {
			if err := tx.Set(fmt.Appendf(nil, "s/%d", i), bytes.Repeat([]byte{'x'}, size+i%50)); err != nil {
				return err
			}
		}
		return nil
	}))
	padded := 0
	for i := range n {
		got, err := get(t, s, fmt.Sprintf("s/%d", i))
		must(t, err)
		if len(got) > size+i%50 {
			padded++
		}
		if strings.TrimRight(got, " ") != strings.Repeat("x", size+i%50) {
			t.Fatalf("value %d is %.20q..., %d bytes", i, got, len(got))
		}
	}
	if padded == 0 || padded > n/10 {
		t.Errorf("%d of %d values are padded", padded, n)
	}
}
