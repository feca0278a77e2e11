package controller_test

import (
	"sync/atomic"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestPortIsKeptWhileItIsBound, though the spec names it no more; one that was only ever requested
// is released.
func TestPortIsKeptWhileItIsBound(t *testing.T) {
	var gone atomic.Bool
	inBubble(t, func(t *testing.T, _ *simengine.Sim, n *node) {
		var pool []desired.Endpoint
		for port := 30001; port <= 30003; port++ {
			pool = append(pool, desired.Endpoint{IP: "127.0.0.1", Port: port, Protocol: desired.TCP})
		}
		if err := n.store.AddPorts(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
		used := func() (used [3]bool) {
			time.Sleep(10 * time.Second)
			ports, err := n.store.Ports()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range ports {
				used[p.Endpoint.Port-30001] = p.InUse
			}
			return used
		}
		n.create("a", func(s *desired.Spec) { s.Power, s.Ports = desired.PowerRunning, on(pool[0]) })
		n.waitState("a", status.StateRunning)
		gone.Store(true) // so that it is not recreated
		for _, to := range pool[1:] {
			n.change("a", func(c *desired.Container) { c.Ports = on(to) })
		}
		if got := used(); got != [3]bool{true, false, true} {
			t.Errorf("in use: %v", got)
		}
		gone.Store(false)
		time.Sleep(time.Minute)
		if got := used(); got != [3]bool{false, false, true} {
			t.Errorf("in the end in use: %v", got)
		}
	}, func(o *setup) {
		o.mounts = func(desired.Spec) error {
			if gone.Load() {
				return desired.Invalid("mount", "it is not there")
			}
			return nil
		}
	})
}
