package controller

import (
	"testing"
	"time"

	"lightd/hack/eventually"
)

// fakeEngineHealth keeps its subscriber.
type fakeEngineHealth struct {
	fn        func(up bool)
	cancelled bool
}

func (s *fakeEngineHealth) Up() (bool, time.Time) { return false, time.Time{} }

func (s *fakeEngineHealth) Subscribe(fn func(up bool)) (cancel func()) {
	s.fn = fn
	return func() { s.cancelled = true }
}

// TestDefaults are those that Config documents.
func TestDefaults(t *testing.T) {
	c := New(Config{Docker: Docker{EngineHealth: &fakeEngineHealth{}}})
	defer c.Close()
	got := []any{c.cfg.InstallTimeout, c.cfg.DatabaseTimeout, c.cfg.CollectEvery, c.cfg.OrphanGrace, c.cfg.Workers}
	for i, want := range []any{10 * time.Minute, 5 * time.Second, 5 * time.Minute, time.Minute, 4} {
		if got[i] != want {
			t.Errorf("default %d is %v, want %v", i, got[i], want)
		}
	}
}

// TestControllerThatNeverRan blocks no caller that notifies it, and ends.
func TestControllerThatNeverRan(t *testing.T) {
	health := &fakeEngineHealth{}
	c := New(Config{Docker: Docker{EngineHealth: health}})
	notified := make(chan struct{})
	go func() {
		defer close(notified)
		for range 3 {
			health.fn(true)
			c.TriggerGC()
			c.Enqueue("a")
		}
	}()
	select {
	case <-notified:
	case <-time.After(eventually.Bound):
		t.Fatal("a notification blocks")
	}
	if n := c.queue.Len(); n != 1 {
		t.Errorf("%d keys wait", n)
	}
	c.Close()
	if !c.queue.ShuttingDown() || !health.cancelled {
		t.Errorf("after Close the queue is open, or a subscription is left: %t", !health.cancelled)
	}
}
