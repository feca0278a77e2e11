package controller_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/status"
)

// simClient returns a client of a simulated engine.
func simClient(t *testing.T, sim *simengine.Sim, options ...client.Opt) *client.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "c")
	if err := sim.Serve(socket); err != nil {
		t.Fatal(err)
	}
	docker, err := client.NewClientWithOpts(append(options, client.WithHost("unix://"+socket), client.WithAPIVersionNegotiation())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = docker.Close() })
	return docker
}

// our returns the network of containers as the engine shows it.
func our(t *testing.T, docker *client.Client) network.Inspect {
	t.Helper()
	n, err := docker.NetworkInspect(t.Context(), blueprint.DefaultNetwork.Name, network.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNetworkIsMadeAgain: it is made with the first container, and made again for a container that
// ran on one that was pruned.
func TestNetworkIsMadeAgain(t *testing.T) {
	sim, n := onSim(t)
	docker := simClient(t, sim)
	n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	n.waitState("a", status.StateRunning)
	before, made := n.inspect("a"), our(t, docker)
	if made.Options["com.docker.network.bridge.enable_icc"] != "false" || made.Options["com.docker.network.bridge.name"] != "lightd0" || made.Labels["lightd.network"] == "" {
		t.Errorf("made %+v", made)
	}
	if strings.Join(before.Networks, " ") != "lightd" || before.NetworkID != made.ID {
		t.Errorf("on %v, %s", before.Networks, before.NetworkID)
	}
	n.change("a", func(c *desired.Container) { c.Power = desired.PowerStopped })
	n.waitState("a", status.StateOffline)
	if err := docker.NetworkRemove(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	n.change("a", requestStart)
	n.waitState("a", status.StateRunning)
	after := n.inspect("a")
	if after.ContainerID != before.ContainerID || after.NetworkID == before.NetworkID || after.NetworkID != our(t, docker).ID {
		t.Errorf("on %s after %s", after.NetworkID, before.NetworkID)
	}
}

// TestKnownNetworkIsNotListed: a container is started on the network that it was on without a listing, once that
// network was seen; where it is gone by then, it is made again within the same step.
func TestKnownNetworkIsNotListed(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		starts := simengine.Rule{Method: http.MethodPost, Route: "/containers/{id}/start"}
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		before := n.inspect("a")
		sim.ResetCalls()
		n.dies(t, sim, "a", func() error { return sim.Exit(before.Name, 137) })
		if listed := sim.CountCalls(simengine.Rule{Method: http.MethodGet, Route: "/networks"}); listed > 0 {
			t.Errorf("%d listings before a start on a known network", listed)
		}
		n.change("a", func(c *desired.Container) { c.Power = desired.PowerStopped })
		n.waitState("a", status.StateOffline)
		if answer := byExternal(sim, http.MethodDelete, "/networks/"+before.NetworkID, ""); answer.Code >= 300 {
			t.Fatalf("%d %s", answer.Code, answer.Body)
		}
		sim.ResetCalls()
		began := time.Now()
		n.change("a", requestStart)
		n.waitState("a", status.StateRunning)
		if took, made := time.Since(began), sim.CountCalls(starts); took > 100*time.Millisecond || made != 2 {
			t.Errorf("it runs after %s and %d starts", took, made)
		}
		if after := n.inspect("a"); after.ContainerID != before.ContainerID || after.NetworkID == before.NetworkID {
			t.Errorf("on %s after %s", after.NetworkID, before.NetworkID)
		}
	})
}

// TestForeignNetworkIsNotUsed: a network of that name on which containers reach each other is reported,
// and nothing is created on it until it is gone.
func TestForeignNetworkIsNotUsed(t *testing.T) {
	sim, n := onSim(t)
	docker := simClient(t, sim)
	made, err := docker.NetworkCreate(t.Context(), blueprint.DefaultNetwork.Name, network.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	st := n.wait("a", "reported", func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonNetworkUnavailable
	})
	if message := st.Get(status.Synced).Message; !strings.Contains(message, "its containers reach each other") || st.ContainerID != "" {
		t.Errorf("%q, container %q", message, st.ContainerID)
	}
	if events := n.events("a"); strings.Count(events, "Blocked") != 1 {
		t.Errorf("events %s", events)
	}
	if err := docker.NetworkRemove(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	n.change("a", requestStart)
	n.waitState("a", status.StateRunning)
}

// TestAlteredNetworkIsReplaced where Lightd has made it and nothing is connected to it.
func TestAlteredNetworkIsReplaced(t *testing.T) {
	sim, n := onSim(t)
	docker := simClient(t, sim)
	made, err := docker.NetworkCreate(t.Context(), blueprint.DefaultNetwork.Name, network.CreateOptions{
		Labels:  map[string]string{"lightd.network": "true"},
		Options: map[string]string{"com.docker.network.bridge.name": "lightd0", "com.docker.network.bridge.enable_icc": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	n.waitState("a", status.StateRunning)
	if now := our(t, docker); now.ID == made.ID || now.Options["com.docker.network.bridge.enable_icc"] != "false" {
		t.Errorf("got %+v", now)
	}
}

// TestNetworkOfAnotherDaemon that is created at the same time is used, and nothing is blocked.
func TestNetworkOfAnotherDaemon(t *testing.T) {
	var docker *client.Client
	first := sync.OnceFunc(func() {
		want := blueprint.DefaultNetwork.AsCreated()
		_, err := docker.NetworkCreate(t.Context(), want.Name, network.CreateOptions{Driver: "bridge",
			Labels:  map[string]string{observed.LabelNetwork: "true"},
			Options: map[string]string{"com.docker.network.bridge.name": want.Bridge, "com.docker.network.bridge.enable_icc": "false"}})
		if err != nil {
			t.Error(err)
		}
	})
	sim, n := onSimWith(t, simengine.Options{Before: func(engine http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/networks/create") && r.Header.Get("User-Agent") != "other" {
				first()
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, `{"message":"cannot create network 1 (lightd0): conflicts with network 2 (lightd0): networks have same bridge name"}`)
				return
			}
			engine.ServeHTTP(w, r)
		})
	}})
	docker = simClient(t, sim, client.WithUserAgent("other"))
	n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	n.waitState("a", status.StateRunning)
	if events := n.events("a"); strings.Contains(events, "Blocked") {
		t.Errorf("events %s", events)
	}
	if got := our(t, docker).ID; n.inspect("a").NetworkID != got {
		t.Errorf("on %s, want %s", n.inspect("a").NetworkID, got)
	}
}

// earlierVersion makes an engine create containers on its own network, as versions before the network
// of Lightd requested it, until it is told otherwise.
func earlierVersion(until *bool) func(http.Handler) http.Handler {
	return func(engine http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !*until && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/containers/create") {
				var request map[string]any
				_ = json.NewDecoder(r.Body).Decode(&request)
				delete(request["HostConfig"].(map[string]any), "NetworkMode")
				body, _ := json.Marshal(request)
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			}
			engine.ServeHTTP(w, r)
		})
	}
}

// TestContainerOfAnEarlierVersionStays on the engine's own network, as deferred drift, until it is
// recreated for another reason.
func TestContainerOfAnEarlierVersionStays(t *testing.T) {
	later := false
	_, n := onSimWith(t, simengine.Options{Before: earlierVersion(&later)})
	n.waitSynced(n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning }))
	n.waitState("a", status.StateRunning)
	before := n.inspect("a")
	if got := n.drifts("a"); got != "networks deferred" || strings.Join(before.Networks, " ") != "bridge" {
		t.Fatalf("drift %q, on %v", got, before.Networks)
	}
	later = true
	n.change("a", func(c *desired.Container) { c.Power = desired.PowerStopped })
	n.waitState("a", status.StateOffline)
	n.change("a", requestStart)
	n.waitState("a", status.StateRunning)
	if after := n.inspect("a"); after.ContainerID != before.ContainerID || n.drifts("a") != "networks deferred" {
		t.Errorf("recreated, or drift %q", n.drifts("a"))
	}
	n.waitSynced(n.change("a", func(c *desired.Container) { c.Env = map[string]string{"A": "1"} }))
	if after := n.inspect("a"); strings.Join(after.Networks, " ") != "lightd" || n.drifts("a") != "" {
		t.Errorf("on %v, drift %q", after.Networks, n.drifts("a"))
	}
}

// TestInterfaceOfAnotherNetwork: a container waits, and the message names the network that has the interface of
// Lightd's.
func TestInterfaceOfAnotherNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		labels map[string]string
		want   string
	}{
		"of somebody":       {nil, "the network lightd cannot be made, as its interface lightd0 is that of the network rival: remove that"},
		"of another Lightd": {map[string]string{observed.LabelNetwork: "true"}, "that of the network rival: a Lightd with other settings made it"},
	} {
		t.Run(name, func(t *testing.T) {
			sim, n := onSim(t)
			docker := simClient(t, sim)
			rival, err := docker.NetworkCreate(t.Context(), "rival", network.CreateOptions{Driver: "bridge", Labels: c.labels,
				Options: map[string]string{"com.docker.network.bridge.name": blueprint.DefaultNetwork.Bridge}})
			if err != nil {
				t.Fatal(err)
			}
			n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
			n.wait("a", "reported", func(st status.Status) bool {
				synced := st.Get(status.Synced)
				return synced.Reason == status.ReasonNetworkUnavailable && strings.Contains(synced.Message, c.want)
			})
			if err := docker.NetworkRemove(t.Context(), rival.ID); err != nil {
				t.Fatal(err)
			}
			n.change("a", requestStart)
			n.waitState("a", status.StateRunning)
		})
	}
}
