package cache_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/cache"
)

// TestEndsWithoutEvents are distinguished from ends with events by when they are found,
// and not by any clock: the engine's may be an hour off.
func TestEndsWithoutEvents(t *testing.T) {
	f := newFake()
	end := func(id string, off time.Duration) {
		f.mu.Lock()
		defer f.mu.Unlock()
		c := f.containers["lightd-"+id]
		c.Phase, c.FinishedAt = observed.Exited, time.Now().Add(off)
		f.containers["lightd-"+id] = c
	}
	f.put("lightd-before", "A", observed.Running)
	end("before", time.Hour)
	for _, id := range []string{"watched", "missed", "away", "again"} {
		f.put("lightd-"+id, id, observed.Running)
	}
	f.put("lightd-never", "N", observed.Created)
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		unwatched := func() map[string]bool {
			found := map[string]bool{}
			for _, id := range c.IDs() {
				if c.Get(id).Run.Unwatched {
					found[id] = true
				}
			}
			return found
		}
		end("watched", -time.Hour)
		f.emit("lightd-watched", "watched", "die", "exitCode", "1")
		end("missed", -time.Hour) // its event is lost; a list finds it
		time.Sleep(6 * time.Minute)
		c.Refresh("before", false) // another inspection does not make it watched
		synctest.Wait()
		if got, want := unwatched(), map[string]bool{"before": true}; !maps.Equal(got, want) {
			t.Errorf("with the engine there: %v, want %v", got, want)
		}
		f.setDown(true)
		end("away", time.Hour)
		end("again", -time.Hour)
		time.Sleep(time.Minute)
		f.setDown(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		f.put("lightd-again", "again", observed.Running)
		f.emit("lightd-again", "again", "start")
		time.Sleep(time.Second)
		end("again", -time.Hour)
		f.emit("lightd-again", "again", "die", "exitCode", "1")
		time.Sleep(time.Second)
		synctest.Wait()
		got := unwatched()
		if !got["away"] || got["again"] || got["never"] {
			t.Errorf("after the engine was unreachable: %v", got)
		}
	})
}
