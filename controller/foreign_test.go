package controller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/status"
)

// TestNameIsUsedOnceItIsFree, whether or not an event reports that the foreign container
// went. Until then nothing is tried.
func TestNameIsUsedOnceItIsFree(t *testing.T) {
	for name, script := range map[string]string{observed.RunName("a"): "", observed.InstallName("a"): "true"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				sim.OnCommand("install-entry.sh", func(context.Context, *simengine.Process) {})
				if _, err := sim.Add(name, &container.Config{Image: harness.Busybox()}, nil, false); err != nil {
					t.Fatal(err)
				}
				c := n.create("a", func(s *desired.Spec) { s.InstallScript = script })
				n.wait("a", "held up by a name", func(st status.Status) bool {
					return st.Get(status.Synced).Reason == status.ReasonNameTaken
				})
				time.Sleep(time.Minute)
				if made := sim.CountCalls(simengine.Rule{Method: "POST"}); made != 0 {
					t.Errorf("%d things were tried meanwhile", made)
				}
				sim.InterceptEvents(simengine.DropEvents(func(m simengine.Message) bool { return m.Action == "destroy" }))
				byExternal(sim, "DELETE", "/containers/"+name, "")
				freed := time.Now()
				n.waitSynced(c)
				if took := time.Since(freed); took > 20*time.Second {
					t.Errorf("made %s after the name was free", took)
				}
			}, seldom)
		})
	}
}

// TestRemovalWhoseEventIsLostIsObserved: a removal from outside that takes a while is
// inspected until it is over, events or not.
func TestRemovalWhoseEventIsLostIsObserved(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		before := n.waitSynced(n.create("a", nil))
		inspects := simengine.Rule{Method: "GET", Route: "/containers/{id}/json"}
		calls := sim.CountCalls(inspects)
		sim.SetRemovalTime(5 * time.Second)
		sim.InterceptEvents(simengine.DropEvents(func(m simengine.Message) bool { return m.Action == "destroy" }))
		go byExternal(sim, "DELETE", "/containers/lightd-a", "")
		time.Sleep(time.Second)
		n.cache.Refresh("a", false)
		n.change("a", requestStart)
		began := time.Now()
		st := n.waitState("a", status.StateRunning)
		if took := time.Since(began); st.ContainerID == before.ContainerID || took > 8*time.Second {
			t.Errorf("recreated after %s", took)
		}
		if made := sim.CountCalls(inspects) - calls; made > 60 {
			t.Errorf("%d inspects of it", made)
		}
		if !strings.Contains(n.events("a"), "ContainerLost") {
			t.Errorf("events %s", n.events("a"))
		}
		if names := sim.Names(); len(names) != 1 || names[0] != observed.RunName("a") {
			t.Errorf("containers %v", names)
		}
	}, seldom)
}

// seldom lists everything so seldom that it heals nothing in a test.
func seldom(o *setup) { o.resync = 24 * time.Hour }
