package cache_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed/cache"
)

// TestSubscribersAreNotifiedOfTheEngine: of the first answer or its absence, and of each change,
// when Up shows it.
func TestSubscribersAreNotifiedOfTheEngine(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.down = down
			c := cache.New(cache.Config{Engine: f, Instance: instance, Changed: func(string) {}})
			var got []string
			cancel := c.Subscribe(func(up bool) {
				shown, _ := c.Up()
				got = append(got, fmt.Sprint(up, shown))
			})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); _ = c.Run(ctx) }()
			wait := func() { time.Sleep(time.Minute); synctest.Wait() }
			wait()
			for _, now := range []bool{!down, down} {
				f.setDown(now)
				wait()
			}
			cancel()
			f.setDown(!down)
			wait()
			stop()
			<-ended
			want := []string{"true true", "false false", "true true"}
			if down {
				want = []string{"false false", "true true", "false false"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("down %v: got %v, want %v", down, got, want)
			}
		})
	}
}

// TestEngineThatHangs: one that breaks no stream is down within 50 s although nothing is requested of it, and one that
// lives is listed no more often for it.
func TestEngineThatHangs(t *testing.T) {
	f := newFake()
	scene(t, f, func(t *testing.T, c *cache.Cache, _ *notified) {
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if _, lists := f.calls(); lists != 1 {
			t.Errorf("%d lists of an engine that lives", lists)
		}
		f.mu.Lock()
		f.down = true
		f.mu.Unlock()
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if up, _ := c.Up(); up {
			t.Error("an engine that hangs is up")
		}
		f.mu.Lock()
		f.down = false
		f.mu.Unlock()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if up, _ := c.Up(); !up {
			t.Error("an engine that answers again is down")
		}
	})
}
