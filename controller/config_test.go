package controller

import (
	"testing"
	"time"

	"lightd/hack/eventually"
)

// toldSightings keeps who is to be told.
type toldSightings struct {
	fn        func(up bool)
	cancelled bool
}

func (s *toldSightings) Up() (bool, time.Time) { return false, time.Time{} }

func (s *toldSightings) Subscribe(fn func(up bool)) (cancel func()) {
	s.fn = fn
	return func() { s.cancelled = true }
}

// TestDefaults are what Config says.
func TestDefaults(t *testing.T) {
	c := New(Config{Docker: Docker{EngineHealth: &toldSightings{}}})
	defer c.Close()
	got := []any{c.cfg.InstallTimeout, c.cfg.DatabaseTimeout, c.cfg.CollectEvery, c.cfg.OrphanGrace, c.cfg.Workers}
	for i, want := range []any{10 * time.Minute, 5 * time.Second, 5 * time.Minute, time.Minute, 4} {
		if got[i] != want {
			t.Errorf("default %d is %v, want %v", i, got[i], want)
		}
	}
}

// TestControllerThatNeverRan holds up nobody who tells it something, and ends.
func TestControllerThatNeverRan(t *testing.T) {
	told := &toldSightings{}
	c := New(Config{Docker: Docker{EngineHealth: told}})
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for range 3 {
			told.fn(true)
			c.TriggerGC()
			c.Enqueue("a")
		}
	}()
	select {
	case <-heard:
	case <-time.After(eventually.Bound):
		t.Fatal("it holds up who tells it something")
	}
	if n := c.queue.Len(); n != 1 {
		t.Errorf("%d keys wait", n)
	}
	c.Close()
	if !c.queue.ShuttingDown() || !told.cancelled {
		t.Errorf("after Close the queue is open, or somebody is told: %t", !told.cancelled)
	}
}
