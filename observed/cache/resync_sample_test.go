package cache_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/cache"
)

// TestAuditReachesAll makes sure that what no list shows is found all the same.
func TestAuditReachesAll(t *testing.T) {
	f := newFake()
	for _, id := range []string{"a", "b", "c", "d"} {
		f.put("lightd-"+id, id, observed.Running)
	}
	scene(t, f, func(t *testing.T, _ *cache.Cache, _ *notified) {
		f.calls()
		time.Sleep(time.Hour)
		synctest.Wait()
		inspects, lists := f.calls()
		if lists != len(inspects) {
			t.Errorf("%d lists and %d inspections: each list has one of four inspected", lists, len(inspects))
		}
		if seen := slices.Compact(inspects); len(seen) != 4 {
			t.Errorf("within an hour only %v were inspected", seen)
		}
	})
}
