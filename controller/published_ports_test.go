package controller_test

import (
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestEngineThatPublishesNothing leads to one report and to no step for as long as it stays so,
// and the report ends with the first run that has its ports.
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
		n.crashes(sim, "a", 4, func(st status.Status) bool {
			return st.Get(status.Synced).Reason == status.ReasonPortNotPublished && st.State == status.StateRunning
		})
		if events := n.events("a"); strings.Count(events, "Blocked") != 1 {
			t.Errorf("reported once a run: %s", events)
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

// TestEngineWithoutLimits discards the limits of a container, which runs all the same. That is
// reported once, in a crash loop too, and ends with an engine that has them.
func TestEngineWithoutLimits(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.WithoutLimits(true)
		n.create("a", func(s *desired.Spec) {
			s.Power, s.Limits = desired.PowerRunning, desired.Limits{Memory: 64 << 20, PIDs: 50}
		})
		reported := func(st status.Status) bool {
			return st.Get(status.Synced).Reason == status.ReasonLimitNotEnforced && st.State == status.StateRunning
		}
		if st := n.wait("a", "reported", reported); st.ObservedGeneration == 0 {
			t.Error("the generation is not observed")
		}
		n.crashes(sim, "a", 4, reported)
		time.Sleep(time.Hour)
		calls := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/{id}/update"})
		time.Sleep(24 * time.Hour)
		if more := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/{id}/update"}) - calls; more > 24 {
			t.Errorf("%d updates in a day", more)
		}
		if events := n.events("a"); strings.Count(events, "Blocked") != 1 || strings.Contains(events, "StepFailed") || strings.Count(events, "LimitsUpdated") > 1 {
			t.Errorf("events %s", events)
		}
		sim.WithoutLimits(false)
		time.Sleep(time.Hour)
		n.wait("a", "limited", func(st status.Status) bool { return st.Get(status.Synced).Status == status.True })
	}, seldom)
}

// crashes ends the process so often, and waits each time until it is as before.
func (n *node) crashes(sim *simengine.Sim, id string, times int, is func(status.Status) bool) {
	n.t.Helper()
	for range times {
		before := n.wait(id, "as before", is)
		if err := sim.Exit("lightd-"+id, 1); err != nil {
			n.t.Fatal(err)
		}
		time.Sleep(time.Minute)
		n.wait(id, "as before", func(st status.Status) bool { return st.Restarts > before.Restarts && is(st) })
	}
}
