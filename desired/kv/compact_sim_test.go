package kv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/dgraph-io/badger/v4"

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
