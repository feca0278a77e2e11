package controller_test

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/blueprint"
	"lightd/observed/status"
)

// TestNetworkOfTheOperator: a container waits for a network that is not there, or that leads to the wire of
// the host, and is started when there is one. It is on the one that was made in the place of the first.
func TestNetworkOfTheOperator(t *testing.T) {
	sim, n := onSim(t)
	docker := simClient(t, sim)
	reported := func(want string) {
		t.Helper()
		st := n.wait("a", "reported", func(st status.Status) bool {
			c := st.Get(status.Synced)
			return c.Reason == status.ReasonNetworkUnavailable && strings.Contains(c.Message, want)
		})
		if st.ContainerID != "" {
			t.Errorf("container %q", st.ContainerID)
		}
	}
	made := func(driver string) string {
		t.Helper()
		n, err := docker.NetworkCreate(t.Context(), "games", network.CreateOptions{Driver: driver})
		if err != nil {
			t.Fatal(err)
		}
		return n.ID
	}
	removed := func(id string) {
		t.Helper()
		if err := docker.NetworkRemove(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	n.create("a", func(s *desired.Spec) { s.Power, s.Network = desired.PowerRunning, "games" })
	reported("the engine has none of that name")
	wire := made("macvlan")
	n.change("a", requestStart)
	reported(`its driver is "macvlan"`)
	if events := n.events("a"); strings.Count(events, "Blocked") > 2 {
		t.Errorf("events %s", events)
	}
	removed(wire)
	lan := made("bridge")
	n.change("a", requestStart)
	n.waitState("a", status.StateRunning)
	before := n.inspect("a")
	if strings.Join(before.Networks, " ") != "games" || before.NetworkID != lan || n.drifts("a") != "" {
		t.Errorf("on %v %s, drift %q", before.Networks, before.NetworkID, n.drifts("a"))
	}
	n.change("a", func(c *desired.Container) { c.Power = desired.PowerStopped })
	n.waitState("a", status.StateOffline)
	removed(lan)
	n.change("a", requestStart)
	n.wait("a", "blocked", func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonNetworkUnavailable })
	lan = made("bridge")
	n.change("a", requestStart)
	n.waitState("a", status.StateRunning)
	if after := n.inspect("a"); after.ContainerID != before.ContainerID || after.NetworkID != lan {
		t.Errorf("on %s, want %s", after.NetworkID, lan)
	}
}

// TestContainerWithoutNetwork: it has none, its install script has Lightd's, and it is recreated when the spec
// changes, or somebody puts it on another one.
func TestContainerWithoutNetwork(t *testing.T) {
	sim, n := onSim(t)
	docker := simClient(t, sim)
	n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	n.waitState("a", status.StateRunning)
	isOn := func(want string) string {
		t.Helper()
		n.wait("a", "on "+want, func(st status.Status) bool {
			c, _, err := n.engine.Inspect(t.Context(), "lightd-a")
			return err == nil && c.Running() && strings.Join(c.Networks, " ") == want && n.drifts("a") == ""
		})
		return n.inspect("a").ContainerID
	}
	n.change("a", func(c *desired.Container) { c.Network = desired.NetworkNone })
	before := isOn("none")
	if err := docker.NetworkDisconnect(t.Context(), "none", before, true); err != nil {
		t.Fatal(err)
	}
	if err := docker.NetworkConnect(t.Context(), blueprint.DefaultNetwork.Name, before, nil); err != nil {
		t.Fatal(err)
	}
	n.wait("a", "recreated", func(status.Status) bool {
		c, _, err := n.engine.Inspect(t.Context(), "lightd-a")
		return err == nil && c.ContainerID != before
	})
	isOn("none")
	n.change("a", func(c *desired.Container) { c.Network = "" })
	isOn("lightd")
	if got := blueprint.Install(desired.Container{Spec: desired.Spec{Network: desired.NetworkNone}}, blueprint.HostPaths{}, "i", 1).NetworkMode; got != "lightd" {
		t.Errorf("the install script is on %s", got)
	}
}

// TestNetworksOfRunningContainers: rules of the firewall are made for those that containers are on, until they
// end, whatever the specs name by then.
func TestNetworksOfRunningContainers(t *testing.T) {
	sim, n := onSim(t)
	docker := simClient(t, sim)
	for _, name := range []string{"games", "extra"} {
		if _, err := docker.NetworkCreate(t.Context(), name, network.CreateOptions{Driver: "bridge"}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(want string) {
		t.Helper()
		pollUntil(t, "networks "+want, func() bool {
			got, err := n.controller.OperatorNetworks()
			return err == nil && strings.Join(got, " ") == want
		})
	}
	has("")
	n.create("a", func(s *desired.Spec) { s.Power, s.Network = desired.PowerRunning, "games" })
	n.waitState("a", status.StateRunning)
	if err := docker.NetworkConnect(t.Context(), "extra", n.inspect("a").ContainerID, nil); err != nil {
		t.Fatal(err)
	}
	has("extra games")
	kept := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Hang: true})
	n.change("a", func(c *desired.Container) { c.Network = desired.NetworkNone })
	awaitCalls(t, kept, 1)
	has("extra games")
	kept.Release()
	has("")
	sim.Refuse()
	pollUntil(t, "unknown", func() bool { _, err := n.controller.OperatorNetworks(); return err != nil })
}
