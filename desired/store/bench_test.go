package store

import (
	"fmt"
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

// BenchmarkApplyNew is the time of 1,000 new specs with an install script of 1 KB and two
// ports each, one of them to be assigned.
func BenchmarkApplyNew(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		l, pool := benchList()
		s := openWithVolume(b, pool...)
		b.StartTimer()
		apply(b, s, l)
	}
}

// BenchmarkApplyUnchanged is the time of the same specs when nothing is new.
func BenchmarkApplyUnchanged(b *testing.B) {
	l, pool := benchList()
	s := openWithVolume(b, pool...)
	apply(b, s, l)
	for b.Loop() {
		apply(b, s, l)
	}
}

// BenchmarkTryUnchanged is a dry run of them, which does not read from memory.
func BenchmarkTryUnchanged(b *testing.B) {
	l, pool := benchList()
	s := openWithVolume(b, pool...)
	apply(b, s, l)
	for b.Loop() {
		must(b, s.DryRun(func(tx *Tx) error { _, err := tx.Apply(l); return err }))
	}
}

func benchList() (List, []desired.Endpoint) {
	l, pool := large(1000, 1, false, 1<<10)
	for i := range l.Specs {
		l.Specs[i].Ports = append(l.Specs[i].Ports, bind("", 0))
		l.Specs[i].StartPattern = "Done .* For help"
		l.Specs[i].Env = map[string]string{"EULA": "true", "VERSION": "1.21", "MEMORY": "2048"}
	}
	return l, append(pool, poolOf(40000, 1000)...)
}
