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
