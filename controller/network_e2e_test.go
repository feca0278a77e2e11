package controller_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/blueprint"
	"lightd/observed/status"
)

// result returns what a program in a container has written into a file of its volume.
func (n *node) result(c desired.Container, name string) (text string) {
	n.t.Helper()
	n.wait(c.InternalID, name, func(status.Status) bool {
		data, err := os.ReadFile(filepath.Join(n.volumes.Path(c.VolumeID), name))
		text = strings.TrimSpace(string(data))
		return err == nil && text != ""
	})
	return text
}

// TestContainersAreApartOnARealEngine: a port that a container does not publish is reached from no other
// container, by its address or by its name.
func TestContainersAreApartOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	n.create("server", func(s *desired.Spec) {
		s.Power, s.StartupCommand = desired.PowerRunning, "while :; do echo secret | nc -l -p 4000; done"
	})
	n.waitState("server", status.StateRunning)
	docker := harness.Docker(t)
	shown, err := docker.ContainerInspect(t.Context(), n.inspect("server").ContainerID)
	if err != nil {
		t.Fatal(err)
	}
	address := shown.NetworkSettings.Networks[blueprint.DefaultNetwork.Name].IPAddress
	client := n.create("client", func(s *desired.Spec) {
		s.Power = desired.PowerRunning
		s.StartupCommand = fmt.Sprintf("for at in %s lightd-server; do nc -w 2 $at 4000 </dev/null || echo none; done > out.new; mv out.new out; exec sleep 100000", address)
	})
	if got := n.result(client, "out"); strings.Contains(got, "secret") || strings.Count(got, "none") != 2 {
		t.Errorf("got %q", got)
	}
}

// TestNetworkIsMadeAgainOnARealEngine: a container that ran on a network that was pruned is started on
// the one that is made in its place. The test has a network of its own, as others use that of the engine.
func TestNetworkIsMadeAgainOnARealEngine(t *testing.T) {
	t.Parallel()
	own := blueprint.Network{Name: "lightd-test-pruned", Bridge: "lightdtest1"}
	n := newNode(t, t.TempDir(), func(o *setup) { o.network = own })
	docker := harness.Docker(t)
	t.Cleanup(func() { _ = docker.NetworkRemove(context.Background(), own.Name) })
	n.clean()
	n.create("pruned", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	n.waitState("pruned", status.StateRunning)
	before := n.inspect("pruned")
	n.change("pruned", func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true })
	n.waitState("pruned", status.StateOffline)
	pollUntil(t, "removed", func() bool { return docker.NetworkRemove(t.Context(), own.Name) == nil })
	n.change("pruned", requestStart)
	n.waitState("pruned", status.StateRunning)
	if after := n.inspect("pruned"); after.ContainerID != before.ContainerID || after.NetworkID == before.NetworkID || strings.Join(after.Networks, " ") != own.Name {
		t.Errorf("on %v %s", after.Networks, after.NetworkID)
	}
}
