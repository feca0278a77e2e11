package controller_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"lightd/controller/firewall"
	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/blueprint"
	"lightd/observed/status"
)

// TestNamedNetworkOnARealEngine: on a network of the operator a container reaches its neighbour by name,
// and before the firewall covers that network a port of the host, and not afterwards. One without a
// network has loopback alone, whatever somebody connects it to.
func TestNamedNetworkOnARealEngine(t *testing.T) {
	t.Parallel()
	const lan = "lightd-test-lan"
	own := blueprint.Network{Name: "lightd-test-lan0", Bridge: "lightdtest4"}
	docker := harness.Docker(t)
	n := newNode(t, t.TempDir(), func(o *setup) { o.network = own })
	keeper := firewall.New(firewall.Config{Table: "lightd-test-lan", Policy: firewall.Policy{Interface: own.Bridge},
		Networks: func(ctx context.Context) (bridges []string, err error) {
			found, err := n.engine.Networks(ctx, []string{lan})
			for _, one := range found {
				bridges = append(bridges, one.Bridge)
			}
			return bridges, err
		}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	for _, name := range []string{lan, own.Name} {
		t.Cleanup(func() { _ = docker.NetworkRemove(context.Background(), name) })
	}
	t.Cleanup(func() { _ = keeper.Remove() })
	n.clean()
	if _, err := docker.NetworkCreate(t.Context(), lan, network.CreateOptions{Driver: "bridge"}); err != nil {
		t.Fatal(err)
	}
	port := serve(t, ":0", "secret")
	n.create("lan-server", func(s *desired.Spec) {
		s.Power, s.Network, s.StartupCommand = desired.PowerRunning, lan, "while :; do echo welcome | nc -l -p 4000; done"
	})
	n.waitState("lan-server", status.StateRunning)
	guest := n.create("lan-client", func(s *desired.Spec) {
		s.Power, s.Network = desired.PowerRunning, lan
		s.StartupCommand = fmt.Sprintf("while :; do { nc -w 2 $(ip route | awk '/default/ {print $3}') %d </dev/null; "+
			"nc -w 2 lightd-lan-server 4000 </dev/null; echo end; } > out.new 2>&1; mv out.new out; sleep 0.2; done", port)
	})
	until := func(what string, is func(text string) bool) {
		t.Helper()
		last := ""
		n.wait("lan-client", what, func(status.Status) bool {
			last = n.result(guest, "out")
			return is(last)
		})
		t.Logf("%s: %q", what, last)
	}
	until("reached", func(text string) bool { return strings.Contains(text, "secret") && strings.Contains(text, "welcome") })
	if err := keeper.Ensure(); err != nil || !keeper.State().InPlace() {
		t.Fatalf("%v %+v", err, keeper.State())
	}
	until("out of reach", func(text string) bool { return !strings.Contains(text, "secret") && strings.Contains(text, "welcome") })

	n.staysAlone(docker, lan, port)
	id := n.inspect("lan-client").ContainerID
	n.change("lan-client", func(c *desired.Container) { c.Network = desired.NetworkNone })
	n.isAlone("lan-client", id)
}

// isAlone waits until a container was recreated without a network.
func (n *node) isAlone(id, before string) {
	n.t.Helper()
	n.wait(id, "recreated", func(status.Status) bool {
		c, _, err := n.engine.Inspect(n.t.Context(), "lightd-"+id)
		return err == nil && c.ContainerID != before && c.Running() && strings.Join(c.Networks, " ") == "none" && n.drifts(id) == ""
	})
}

// staysAlone has a container without a network, which reaches nothing, and which whoever connects it to one does not
// keep there.
func (n *node) staysAlone(docker *client.Client, lan string, port int) {
	t := n.t
	t.Helper()
	shown, err := docker.NetworkInspect(t.Context(), lan, network.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alone := n.create("lan-alone", func(s *desired.Spec) {
		s.Power, s.Network = desired.PowerRunning, desired.NetworkNone
		s.StartupCommand = fmt.Sprintf("{ ls /sys/class/net; ip route; nc -w 2 %s %d </dev/null; echo end; } > out.new 2>&1; mv out.new out; exec sleep 100000",
			shown.IPAM.Config[0].Gateway, port)
	})
	n.waitState("lan-alone", status.StateRunning)
	if got := strings.Fields(n.result(alone, "out")); got[0] != "lo" || strings.Contains(strings.Join(got, " "), "secret") || strings.Contains(strings.Join(got, " "), "eth0") {
		t.Errorf("got %q", got)
	}
	before := n.inspect("lan-alone")
	if err := docker.NetworkConnect(t.Context(), lan, before.ContainerID, nil); err == nil {
		t.Error("the engine connects what has no network")
	}
	if err := docker.NetworkDisconnect(t.Context(), "none", before.ContainerID, true); err != nil {
		t.Fatal(err)
	}
	if err := docker.NetworkConnect(t.Context(), lan, before.ContainerID, nil); err != nil {
		t.Fatal(err)
	}
	n.isAlone("lan-alone", before.ContainerID)
}
