package kv

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestKilledWriter kills a process that writes, flushes, merges and collects all the time.
// Each next one finds all that was acknowledged.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	acknowledged := 0
	for range 8 {
		w := startWriter(t, dir)
		w.until("written", acknowledged+1)
		time.AfterFunc(rand.N(250*time.Millisecond), w.kill)
		w.end()
		acknowledged = w.written
	}
	s := open(t, dir, Options{tune: small})
	if n := countRecords(s); n < acknowledged || n > acknowledged+1 {
		t.Errorf("%d records, and %d were acknowledged", n, acknowledged)
	}
	must(t, holds(s, countRecords(s)))
	t.Logf("%d records", acknowledged)
}
