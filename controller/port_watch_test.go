package controller_test

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"lightd/controller"
	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// noticed is how soon a container runs whose port was released.
const noticed = 2 * time.Second

// waited is how long it has waited before. No retry falls on its end: those are multiples of 15 s apart.
const waited = 10*time.Minute + 7*time.Second

// TestReleasedPortIsNoticed: a container that has waited long for its port, with few starts, runs right
// after the port is free where the socket that held it is one of this host, and within the delay of a retry
// elsewhere.
func TestReleasedPortIsNoticed(t *testing.T) {
	port := desired.Port{IP: "127.0.0.1", Port: 7001, Protocol: desired.TCP, ContainerPort: 80}
	for name, c := range map[string]struct {
		visible bool
		within  time.Duration
	}{"a socket of this host": {true, noticed}, "of elsewhere": {false, 16 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			var reads, held atomic.Int64
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				if err := n.store.AddPorts(t.Context(), []desired.Endpoint{port.Endpoint()}); err != nil {
					t.Fatal(err)
				}
				sim.OccupyPort(port.Port, "tcp")
				held.Store(1)
				n.create("a", func(s *desired.Spec) { s.Power, s.Ports = desired.PowerRunning, []desired.Port{port} })
				n.wait("a", "waiting", waitsForPort)
				time.Sleep(waited)
				if starts := sim.CountCalls(simengine.Rule{Method: "POST", Route: "/containers/*/start"}); starts > 45 {
					t.Errorf("%d starts in %s", starts, waited)
				}
				free := time.Now()
				sim.FreePort(port.Port, "tcp")
				held.Store(0)
				n.waitState("a", status.StateRunning)
				if took := time.Since(free); took > c.within {
					t.Errorf("it runs %s after the release, want %s", took, c.within)
				}
				before := reads.Load()
				time.Sleep(waited)
				if now := reads.Load(); now > before+1 {
					t.Errorf("sockets were read %d times while nothing waits", now-before)
				}
			}, func(o *setup) {
				o.heldPorts = func() []desired.Endpoint {
					reads.Add(1)
					if held.Load() == 0 || !c.visible {
						return nil
					}
					return []desired.Endpoint{{IP: "0.0.0.0", Port: port.Port, Protocol: desired.TCP}}
				}
			}, seldom)
		})
	}
}

// TestReleasedPortOfARebind: the same for a container that runs on while the port of its new spec is held.
func TestReleasedPortOfARebind(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		own := desired.Endpoint{IP: "127.0.0.1", Port: 1, Protocol: desired.TCP}
		to := desired.Endpoint{IP: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Protocol: desired.TCP}
		if err := n.store.AddPorts(t.Context(), []desired.Endpoint{own, to}); err != nil {
			t.Fatal(err)
		}
		n.create("a", func(s *desired.Spec) { s.Power, s.Ports = desired.PowerRunning, on(own) })
		n.waitState("a", status.StateRunning)
		n.change("a", func(c *desired.Container) { c.Ports = on(to) })
		n.wait("a", "waiting", waitsForPort)
		time.Sleep(waited)
		free := time.Now()
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		n.wait("a", "rebound", func(st status.Status) bool {
			return st.State == status.StateRunning && st.Get(status.Synced).Status == status.True
		})
		if took := time.Since(free); took > noticed {
			t.Errorf("it runs %s after the release", took)
		}
		c, err := sim.Inspect("lightd-a")
		if err != nil || fmt.Sprint(c.HostConfig.PortBindings) != fmt.Sprintf("map[%d/tcp:[{127.0.0.1 %d}]]", to.Port, to.Port) {
			t.Errorf("it binds %v, %v", c.HostConfig.PortBindings, err)
		}
	}, func(o *setup) { o.heldPorts = controller.LocalEndpoints }, seldom)
}

func waitsForPort(st status.Status) bool {
	return st.Get(status.Synced).Reason == status.ReasonPortUnavailable
}
