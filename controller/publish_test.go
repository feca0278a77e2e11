package controller_test

import (
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/observed/simengine"
	"lightd/observed/status"
)

// TestEngineThatPublishesNothing leads to one report and to no step for as long as it stays so,
// and the report ends with the first life that has its ports.
func TestEngineThatPublishesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.Unbridge(true)
		port := desired.Port{IP: "127.0.0.1", Port: 7001, Protocol: desired.TCP, ContainerPort: 80}
		if err := n.store.AddPorts(t.Context(), []desired.Endpoint{port.Endpoint()}); err != nil {
			t.Fatal(err)
		}
		n.create("a", func(s *desired.Spec) {
			s.Power, s.Ports = desired.PowerRunning, []desired.Port{port}
		})
		st := n.wait("a", "reported", func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonPortNotPublished })
		if st.ObservedGeneration == 0 {
			t.Error("the generation is not observed")
		}
		time.Sleep(time.Minute)
		was, writes := n.versions("a"), sim.CountCalls(simengine.Rule{Method: "POST"})
		for range 60 {
			n.cache.Refresh("a", true)
			n.controller.Enqueue("a")
			time.Sleep(time.Minute)
		}
		if is := n.versions("a"); is != was {
			t.Errorf("%d records in an hour", is-was)
		}
		if more := sim.CountCalls(simengine.Rule{Method: "POST"}) - writes; more > 0 {
			t.Errorf("%d calls that change something in an hour", more)
		}
		sim.Unbridge(false)
		if err := sim.Exit("lightd-a", 0); err != nil {
			t.Fatal(err)
		}
		n.wait("a", "published", func(st status.Status) bool { return st.Get(status.Synced).Status == status.True })
	}, seldom)
}

// TestManyPorts: an engine that takes minutes to bind and to release the ports of a container is not
// taken for one that hangs. It starts once, is killed once, and nothing is reported as failed.
func TestManyPorts(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		const many, each = 300, 400 * time.Millisecond
		sim.SlowPorts(each)
		var ports []desired.Port
		var pool []desired.Endpoint
		for port := range many {
			p := desired.Port{IP: "127.0.0.1", Port: 20000 + port, Protocol: desired.TCP, ContainerPort: 20000 + port}
			ports, pool = append(ports, p), append(pool, p.Endpoint())
		}
		if err := n.store.AddPorts(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
		n.create("a", func(s *desired.Spec) { s.Power, s.Ports = desired.PowerRunning, ports })
		time.Sleep(many * each)
		n.waitState("a", status.StateRunning)
		n.change("a", func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true })
		time.Sleep(many * each)
		n.waitState("a", status.StateOffline)
		for method, route := range map[string]string{"start": "/containers/{id}/start", "kill": "/containers/{id}/kill"} {
			if calls := sim.CountCalls(simengine.Rule{Method: "POST", Route: route}); calls != 1 {
				t.Errorf("%d calls of %s", calls, method)
			}
		}
		if events := n.events("a"); strings.Contains(events, "StepFailed") || strings.Contains(events, "Blocked") {
			t.Errorf("events %s", events)
		}
	}, seldom)
}
