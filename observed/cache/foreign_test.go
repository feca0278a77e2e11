package cache_test

import (
	"bytes"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/cache"
)

// TestContainersOfOtherInstances are logged once, can be listed, and are no keys of ours.
func TestContainersOfOtherInstances(t *testing.T) {
	f := newFake()
	f.put("lightd-a", "A", observed.Running)
	f.put("lightd-b", "B", observed.Exited)
	f.put("lightd_install-b", "BI", observed.Running)
	f.put("lightd-c", "C", observed.Running)
	f.put("lightd-d", "D", observed.Running)
	f.foreign = map[string]string{"lightd-b": "lost", "lightd_install-b": "lost", "lightd-c": "beside", "lightd-d": ""}
	var log bytes.Buffer
	f.log = slog.New(slog.NewTextHandler(&log, nil))
	scene(t, f, func(t *testing.T, c *cache.Cache, news *notified) {
		want := []observed.Foreign{
			{ContainerID: "C", Name: "lightd-c", InternalID: "c", Instance: "beside"},
			{ContainerID: "B", Name: "lightd-b", InternalID: "b", Instance: "lost"},
			{ContainerID: "BI", Name: "lightd_install-b", InternalID: "b", Instance: "lost"},
		}
		if got := c.Foreign(); !slices.Equal(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got, want := news.take(), map[string]int{"a": 1}; !maps.Equal(got, want) || !slices.Equal(c.IDs(), []string{"a"}) {
			t.Errorf("notified %v, want %v; ids %v", got, want, c.IDs())
		}
		if inspects, lists := f.calls(); lists != 1 || !slices.Equal(inspects, []string{"lightd-a"}) {
			t.Errorf("%d lists, inspected %v", lists, inspects)
		}
		f.remove("lightd-c")
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if got := c.Foreign(); !slices.Equal(got, want[1:]) {
			t.Errorf("after a resync: %+v", got)
		}
	})
	if text := log.String(); strings.Count(text, "other Lightd") != 1 || !strings.Contains(text, `"beside: c; lost: b"`) {
		t.Errorf("logged:\n%s", text)
	}
}

// TestManyForeignContainersFitALine counts those for which there is no room.
func TestManyForeignContainersFitALine(t *testing.T) {
	var many []observed.Foreign
	for _, instance := range strings.Split("abcdefghijkl", "") {
		for _, id := range strings.Split("mnopqrstuvwxyz", "") {
			many = append(many, observed.Foreign{Instance: instance, InternalID: id})
		}
	}
	text := cache.Summary(many)
	if !strings.Contains(text, "a: m, n, o, p, q, r, s, t, u, v, and 4 more; b") || !strings.HasSuffix(text, "; and 2 more") {
		t.Error(text)
	}
}
