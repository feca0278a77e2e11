package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
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
		s.giveBack()
		closeStore(t, s)
		sizes = append(sizes, usage(t, dir)>>10)
	}
	// 55 KB in each of 1,000 writes. What is not collected yet fills a few files.
	if most := slices.Max(sizes); most > 24<<10 {
		t.Errorf("%v KiB of disk", sizes)
	}
	t.Logf("%v KiB of disk after %d writes", sizes, i)
}
