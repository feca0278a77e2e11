package controller

import (
	"slices"
	"testing"

	"k8s.io/client-go/util/workqueue"
)

type forgetfulSight struct {
	Cache
	forgotten []string
}

func (s *forgetfulSight) Forget(id string) { s.forgotten = append(s.forgotten, id) }

type forgetfulConsole struct {
	Console
	forgotten []string
}

func (c *forgetfulConsole) Forget(id string) { c.forgotten = append(c.forgotten, id) }

// TestNothingIsRemembered of a container that is gone, anywhere.
func TestNothingIsRemembered(t *testing.T) {
	sight, console := &forgetfulSight{}, &forgetfulConsole{}
	c := &Controller{executor: &executor{cfg: Config{Docker: Docker{Cache: sight, Console: console}}}, keys: map[string]*keyState{"a": {}, "b": {}}}
	c.queue = workqueue.NewTypedRateLimitingQueue(newLimiter())
	defer c.queue.ShutDown()
	for _, id := range []string{"a", "b"} {
		c.queue.AddRateLimited(id)
	}
	c.forget("a")
	a := []string{"a"}
	if !slices.Equal(sight.forgotten, a) || !slices.Equal(console.forgotten, a) {
		t.Errorf("seen of no more: %v, heard of no more: %v", sight.forgotten, console.forgotten)
	}
	if len(c.keys) != 1 || c.keys["b"] == nil {
		t.Errorf("in memory are %v", c.keys)
	}
	if c.queue.NumRequeues("a") != 0 || c.queue.NumRequeues("b") != 1 {
		t.Errorf("the queue counts %d errors of a and %d of b", c.queue.NumRequeues("a"), c.queue.NumRequeues("b"))
	}
}
