package kv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired"
	"lightd/hack/eventually"
)

// usage is what the files of a directory take of the disk, in bytes.
func usage(t testing.TB, dir string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		var st syscall.Stat_t
		if err := syscall.Stat(filepath.Join(dir, e.Name()), &st); err == nil { // else it was just removed
			size += st.Blocks * 512
		}
	}
	return size
}

// TestGarbageIsGivenBack: what is written and removed over and over, by one process after the
// other, takes no more of the disk in the end than in the beginning.
func TestGarbageIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	key := func(i, j int) []byte { return fmt.Appendf(nil, "g/%d/%d", i, j) }
	i := 0
	var sizes []int64
	for range 5 {
		s := open(t, dir, Options{tune: small})
		for range 200 {
			must(t, s.Update(t.Context(), func(tx *Tx) error {
				for j := range 10 {
					if err := errors.Join(tx.Delete(key(i-10, j)), tx.Set(key(i, j), make([]byte, 1000+j*1000))); err != nil {
						return err
					}
				}
				return nil
			}))
			i++
		}
		s.engine.compactor.reclaimValueLog()
		closeDB(t, s)
		sizes = append(sizes, usage(t, dir)>>10)
	}
	// 55 KB in each of 1,000 writes. What is not collected yet fills a few files.
	if most := slices.Max(sizes); most > 24<<10 {
		t.Errorf("%v KiB of disk", sizes)
	}
	t.Logf("%v KiB of disk after %d writes", sizes, i)
}

// TestRewrittenRecords: records of the size of a status that are written over and over take no more
// of the disk than a few files, without any collection of the value log.
func TestRewrittenRecords(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{tune: func(o badger.Options) badger.Options { return small(o).WithValueThreshold(valueThreshold) }})
	defer closeDB(t, s)
	var sizes []int64
	for i := range 1000 { // 40 MB in all
		must(t, s.Update(t.Context(), func(tx *Tx) error {
			for j := range 20 {
				if err := tx.Set(fmt.Appendf(nil, "s/%d", j), make([]byte, 2000)); err != nil {
					return err
				}
			}
			return nil
		}))
		if i%100 == 99 {
			sizes = append(sizes, usage(t, dir)>>10)
		}
	}
	if most := slices.Max(sizes); most > 16<<10 {
		t.Errorf("%v KiB of disk", sizes)
	}
	t.Logf("%v KiB of disk", sizes)
}

// TestReserveAfterACollection: a collection of the value log leaves the reserve usable.
func TestReserveAfterACollection(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{tune: small, Reserve: true})
	for i := 0; ; i++ {
		must(t, s.Update(t.Context(), func(tx *Tx) error {
			for j := range 10 {
				if err := errors.Join(tx.Delete(fmt.Appendf(nil, "g/%d/%d", i-10, j)), tx.Set(fmt.Appendf(nil, "g/%d/%d", i, j), make([]byte, 1000+j*1000))); err != nil {
					return err
				}
			}
			return nil
		}))
		if i%100 < 99 {
			continue
		}
		before := logs(t, dir)
		s.engine.compactor.reclaimValueLog()
		if after := logs(t, dir); slices.Contains(after, before[0]) && i < 2000 {
			continue
		}
		if i >= 2000 {
			t.Fatal("nothing was collected")
		}
		break
	}
	r := s.disk.reserve
	var mem, vlg segment
	for range 5 { // one of the files may be about to end
		must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.Set([]byte("more"), make([]byte, 100_000)) }))
		r.mu.Lock()
		mem, vlg = r.mem, r.vlg
		r.mu.Unlock()
		if mem.fits(8<<10) && vlg.fits(8<<10) {
			return
		}
	}
	t.Errorf("nothing fits into the reserve: %+v, %+v", mem, vlg)
}

// logs are the files of the value log.
func logs(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	must(t, err)
	return files
}

// TestReadLog: what is read of the files is what the commits were accounted for, and hardly less.
func TestReadLog(t *testing.T) {
	s := open(t, t.TempDir(), Options{Reserve: true})
	defer closeDB(t, s)
	r := s.disk.reserve
	for i := range 200 {
		must(t, s.Update(t.Context(), func(tx *Tx) error {
			return tx.Set(fmt.Appendf(nil, "s/%d", i), make([]byte, 1+i*100))
		}))
	}
	r.mu.Lock()
	mem, vlg := r.mem, r.vlg
	r.mu.Unlock()
	r.rescan()
	for _, c := range []struct{ before, after segment }{{mem, r.mem}, {vlg, r.vlg}} {
		if got, most := c.after.used, c.before.used; got > most || got < most*4/5 || c.after.name != c.before.name || c.after.allocated < got {
			t.Errorf("%s: %d bytes were accounted, %d are read: %+v", c.before.ext, most, got, c.after)
		}
	}
	written, err := readLog(filepath.Join(s.dir, highWaterName))
	if err != nil || written.mem > 0 {
		t.Errorf("a file that ends: %+v, %v", written, err)
	}
}

// TestMergeHasRoom: tables wait to be merged until there is room for what is made of them. When one more of
// them would stop all writing, ordinary writes are refused, until there is room.
func TestMergeHasRoom(t *testing.T) {
	var free atomic.Uint64
	free.Store(100 << 20)
	s := open(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) { return free.Load(), nil }})
	defer closeDB(t, s)
	n := 0
	write := func(set func(tx *Tx, key, value []byte) error) error {
		return s.Update(t.Context(), func(tx *Tx) error {
			for range 500 {
				n++
				if err := set(tx, fmt.Appendf(nil, "s/%d", n), make([]byte, 7000)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	tables := func() int { return s.engine.badger.Levels()[0].NumTables }
	var err error
	for err == nil && n < 60_000 {
		err = write((*Tx).Set)
	}
	var full *desired.DiskFullError
	if !errors.As(err, &full) || full.Needed < 150<<20 || tables() < 5 {
		t.Fatalf("%d records in %d tables, then %v", n, tables(), err)
	}
	must(t, write((*Tx).SetEssential))
	wantErr(t, s.DryRun(set("x", "y")), desired.ErrDiskFull)
	free.Store(1 << 30)
	eventually.Poll(t, func() error {
		if err := write((*Tx).Set); err != nil || tables() > 1 {
			return fmt.Errorf("%d tables: %w", tables(), err)
		}
		return nil
	})
}

// TestMergingKeepsUp: more is written than tables may pile up for, by one process and by many
// short lives, and no write waits for ever.
func TestMergingKeepsUp(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 5*eventually.Bound)
	defer cancel()
	i := 0
	for life := range 10 {
		s := open(t, dir, Options{tune: small})
		commits := 1
		if life == 0 {
			commits = 150
		}
		for range commits {
			must(t, s.Update(ctx, func(tx *Tx) error {
				for range 80 {
					if err := tx.Set(fmt.Appendf(nil, "g/%d", i), make([]byte, 1000)); err != nil {
						return err
					}
					i++
				}
				return nil
			}))
		}
		if n := s.engine.badger.Levels()[0].NumTables; n > s.engine.badger.Opts().NumLevelZeroTablesStall {
			t.Errorf("%d tables wait in life %d", n, life)
		}
		closeDB(t, s)
	}
	s := open(t, dir, Options{tune: small})
	defer closeDB(t, s)
	must(t, s.View(func(tx *Tx) error {
		for j := range i {
			if v, err := tx.Get(fmt.Appendf(nil, "g/%d", j)); err != nil || len(v) != 1000 {
				return fmt.Errorf("value %d: %d bytes, %w", j, len(v), err)
			}
		}
		return nil
	}))
}
