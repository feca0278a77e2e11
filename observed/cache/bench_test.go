package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"lightd/hack/eventually"
	"lightd/observed"
	"lightd/observed/cache"
)

// BenchmarkCompare compares a list of 10,000 containers with what is known of them: the work of a resync
// that finds no difference, without the calls.
func BenchmarkCompare(b *testing.B) {
	const known = 10_000
	f := newFake()
	for i := range known {
		f.put(observed.RunName(fmt.Sprint(i)), fmt.Sprintf("container-%d", i), observed.Running)
	}
	c := cache.New(cache.Config{Engine: f, Instance: instance, Changed: func(string) {}, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	eventually.Poll(b, func() error {
		for i := range known {
			if c.Get(fmt.Sprint(i)).Run == nil {
				return fmt.Errorf("container %d is not inspected yet", i)
			}
		}
		return nil
	})
	cancel()
	<-done
	list, err := f.ListAll(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	c.CompareAgain(list) // the engine counts as unreachable since the end
	b.ReportAllocs()
	for b.Loop() {
		if n := c.CompareAgain(list); n > known/10 {
			b.Fatalf("%d of %d differ", n, known)
		}
	}
}
