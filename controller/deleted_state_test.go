package controller

import (
	"slices"
	"testing"

	"k8s.io/client-go/util/workqueue"
)

type cacheStub struct {
	Cache
	dropped []string
}

func (s *cacheStub) Forget(id string) { s.dropped = append(s.dropped, id) }

type consoleStub struct {
	Console
	dropped []string
}

func (c *consoleStub) Forget(id string) { c.dropped = append(c.dropped, id) }

// TestForgetDropsAllState of a container that is gone, anywhere.
func TestForgetDropsAllState(t *testing.T) {
	cache, console := &cacheStub{}, &consoleStub{}
	c := &Controller{executor: &executor{cfg: Config{Docker: Docker{Cache: cache, Console: console}}}, keys: map[string]*keyState{"a": {}, "b": {}}}
	c.queue = workqueue.NewTypedRateLimitingQueue(newLimiter())
	defer c.queue.ShutDown()
	for _, id := range []string{"a", "b"} {
		c.queue.AddRateLimited(id)
	}
	c.forget("a")
	a := []string{"a"}
	if !slices.Equal(cache.dropped, a) || !slices.Equal(console.dropped, a) {
		t.Errorf("cache entries dropped: %v, consoles dropped: %v", cache.dropped, console.dropped)
	}
	if len(c.keys) != 1 || c.keys["b"] == nil {
		t.Errorf("in memory are %v", c.keys)
	}
	if c.queue.NumRequeues("a") != 0 || c.queue.NumRequeues("b") != 1 {
		t.Errorf("the queue counts %d errors of a and %d of b", c.queue.NumRequeues("a"), c.queue.NumRequeues("b"))
	}
}
