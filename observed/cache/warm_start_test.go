package cache_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/cache"
)

// TestRecall lets a daemon start over containers of which one is as it was recorded and the
// others are not, each in its own way: that one is shown, the others are inspected.
func TestRecall(t *testing.T) {
	was := func(id string) observed.Container {
		return observed.Container{ContainerID: id, Name: "lightd-" + id, Role: observed.RoleRun, Phase: observed.Running,
			StartedAt: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), Endpoint: "first"}
	}
	is := map[string]func(*observed.Container){
		"same":      func(*observed.Container) {},
		"ended":     func(c *observed.Container) { c.Phase, c.Endpoint = observed.Exited, "" },
		"restarted": func(c *observed.Container) { c.Endpoint = "second" },
		"remade":    func(c *observed.Container) { c.ContainerID = "another" },
		"nameless":  func(c *observed.Container) { c.Endpoint = "" },
	}
	f := newFake()
	f.recorded = map[string]*observed.Container{}
	for id, change := range is {
		recorded, now := was(id), was(id)
		change(&now)
		if id == "nameless" {
			recorded.Endpoint = "" // nothing tells this start from another
		}
		f.recorded[id], f.containers["lightd-"+id] = &recorded, now
	}
	scene(t, f, func(t *testing.T, c *cache.Cache, news *told) {
		inspects, lists := f.calls()
		if want := []string{"lightd-ended", "lightd-nameless", "lightd-remade", "lightd-restarted"}; lists != 1 || !slices.Equal(inspects, want) {
			t.Errorf("%d lists, inspected %v, want %v", lists, inspects, want)
		}
		if got, want := news.take(), map[string]int{"same": 1, "ended": 1, "restarted": 1, "remade": 1, "nameless": 1}; !maps.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		if s := c.Get("same"); !s.Known || s.Run != f.recorded["same"] || s.At.IsZero() {
			t.Errorf("recalled: %+v", s)
		}
		c.Refresh("same", false)
		synctest.Wait()
		if inspects, _ := f.calls(); !slices.Equal(inspects, []string{"lightd-same"}) {
			t.Errorf("asked for: inspected %v", inspects)
		}
	})
}

// TestAuditReachesAll makes sure that what no list shows is found all the same.
func TestAuditReachesAll(t *testing.T) {
	f := newFake()
	for _, id := range []string{"a", "b", "c", "d"} {
		f.put("lightd-"+id, id, observed.Running)
	}
	scene(t, f, func(t *testing.T, _ *cache.Cache, _ *told) {
		f.calls()
		time.Sleep(time.Hour)
		synctest.Wait()
		inspects, lists := f.calls()
		if lists != len(inspects) {
			t.Errorf("%d lists and %d looks: each list has one of four looked at", lists, len(inspects))
		}
		if seen := slices.Compact(inspects); len(seen) != 4 {
			t.Errorf("within an hour only %v were looked at", seen)
		}
	})
}
