package store

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"lightd/desired"
)

// BenchmarkUpdate is the time of one small write that has the disk to itself.
func BenchmarkUpdate(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	for b.Loop() {
		must(b, s.Update(b.Context(), set("x", "value")))
	}
}

// BenchmarkUpdate50 is the time until fifty writes at once are all on disk.
func BenchmarkUpdate50(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	for b.Loop() {
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if err := s.Update(b.Context(), set(fmt.Sprint("x", i), "value")); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// BenchmarkApply2000 is the time of 2,000 new specs of 3 KB in one transaction, each
// with a port to be assigned.
func BenchmarkApply2000(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		var pool []desired.Endpoint
		for port := range 2000 {
			pool = append(pool, tcp("0.0.0.0", 20000+port))
		}
		s := openWithVolume(b, pool...)
		b.StartTimer()
		must(b, s.Update(b.Context(), func(tx *Tx) error {
			for i := range 2000 {
				sp := spec(fmt.Sprintf("server-%04d", i), bind("", 0))
				sp.InstallScript = strings.Repeat("x", 3000)
				if _, err := tx.CreateContainer(sp); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}
