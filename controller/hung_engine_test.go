package controller_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/status"
)

// TestNothingBlocks fills the node with everything that takes for ever: forty installations,
// a pull that stalls, a program that ignores its signal, and calls to kill, start and remove
// that the engine never answers. Others are started, stopped, killed and deleted meanwhile,
// each within a second.
func TestNothingBlocks(t *testing.T) { inBubble(t, nothingBlocks) }

func nothingBlocks(t *testing.T, sim *simengine.Sim, n *node) {
	sim.Publish("stalls:latest", simengine.Remote{Layers: []int64{1, 1}, StallAfter: 1})
	sim.OnCommand("install-entry.sh", func(ctx context.Context, _ *simengine.Process) { <-ctx.Done() })
	script := func(s *desired.Spec) { s.InstallScript = "sleep 600" }
	running := func(s *desired.Spec) { s.Power = desired.PowerRunning }

	// Those that will be hung are brought to where they can be.
	for _, id := range []string{"hung-kill", "hung-remove", "deaf", "victim", "other"} {
		n.create(id, running)
		n.waitState(id, status.StateRunning)
	}
	n.waitSynced(n.create("hung-start", nil))
	hang := func(method, route, target string) *simengine.Injected {
		return sim.Inject(simengine.Rule{Method: method, Route: route, Target: target, Hang: true})
	}
	id := func(name string) string {
		c, err := sim.Inspect(observed.RunName(name))
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	hung := []*simengine.Injected{
		hang("POST", "/containers/{id}/kill", id("hung-kill")),
		hang("POST", "/containers/{id}/start", id("hung-start")),
		hang("DELETE", "/containers/{id}", id("hung-remove")),
	}
	sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Target: id("deaf"), Status: 204})

	n.change("hung-kill", requestKill)
	n.change("hung-start", requestStart)
	n.change("hung-remove", requestDelete)
	n.change("deaf", requestStop)
	n.create("pull", func(s *desired.Spec) { s.Image = "stalls:latest" })
	for i := range 40 {
		n.create(fmt.Sprintf("install-%d", i), script)
	}
	for i := range 40 {
		n.wait(fmt.Sprintf("install-%d", i), "in its script", func(st status.Status) bool {
			return st.Install.Phase == status.InstallScript
		})
	}
	for _, h := range hung {
		awaitCalls(t, h, 1)
	}

	othersDoNotWait(t, n)

	for i, h := range hung {
		if h.Hits() == 0 {
			t.Errorf("call %d was not hung: this test shows nothing", i)
		}
	}
	if st, _ := n.statuses.Get("deaf"); st.State != status.StateStopping {
		t.Errorf("the deaf one is %s", st.State)
	}
}

// othersDoNotWait does everything to others that can be done.
func othersDoNotWait(t *testing.T, n *node) {
	change := func(id string, fn func(*desired.Container), want status.State) func() {
		return func() { n.change(id, fn); n.waitState(id, want) }
	}
	erased := func(id string) func() { return func() { n.change(id, requestDelete); n.gone(id) } }
	for _, c := range []struct {
		what string
		do   func()
	}{
		{"a kill", change("victim", requestKill, status.StateOffline)},
		{"a start", change("victim", requestStart, status.StateRunning)},
		{"a stop", change("other", requestStop, status.StateOffline)},
		{"a deletion", erased("other")},
		{"a deletion, which ends an installation,", erased("install-7")},
		{"a creation", func() {
			n.create("late", func(s *desired.Spec) { s.Power = desired.PowerRunning })
			n.waitState("late", status.StateRunning)
		}},
	} {
		began := time.Now()
		c.do()
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s took %s", c.what, took)
		}
	}
}

// TestHungStartsBlockNothingForLong hangs more starts than there are slots. They block only
// starts, and those only for seconds.
func TestHungStartsBlockNothingForLong(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("victim", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("victim", status.StateRunning)
		const many, room = 20, 8
		var rules []*simengine.Injected
		for i := range many {
			id := fmt.Sprintf("s%d", i)
			n.waitSynced(n.create(id, nil))
			c, err := sim.Inspect(observed.RunName(id))
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Target: c.ID, Hang: true}))
		}
		hung := func() (sum int) {
			for _, r := range rules {
				sum += r.Hits()
			}
			return sum
		}
		n.waitSynced(n.create("good", nil))
		for i := range many {
			n.change(fmt.Sprintf("s%d", i), requestStart)
		}
		time.Sleep(time.Second) // on the bubble's clock
		if got := hung(); got != room {
			t.Errorf("%d starts at once", got)
		}
		n.change("good", requestStart)
		began := time.Now()
		n.change("victim", requestKill)
		n.waitState("victim", status.StateOffline)
		n.change("victim", requestDelete)
		n.gone("victim")
		n.waitSynced(n.create("stopped", nil)) // installing is not starting
		if took := time.Since(began); took > time.Second {
			t.Errorf("a kill, a deletion and a creation took %s", took)
		}
		n.waitState("good", status.StateRunning)
		// The eight before it, and the twelve in line, in turns of five seconds.
		if took := time.Since(began); took > 3*5*time.Second {
			t.Errorf("the start behind the hung ones took %s", took)
		}
		time.Sleep(time.Second) // on the bubble's clock, for those whose turn came together with it
		if got := hung(); got != many {
			t.Errorf("%d starts are hung", got)
		}
		for i, r := range rules {
			r.Release()
			n.waitState(fmt.Sprintf("s%d", i), status.StateRunning)
		}
	})
}

// TestHungListOfNetworks: a start whose look at the network is not answered keeps no other one waiting.
func TestHungListOfNetworks(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		for _, id := range []string{"hung", "good"} {
			n.waitSynced(n.create(id, nil))
		}
		rule := sim.Inject(simengine.Rule{Method: "GET", Route: "/networks", Hang: true, Times: 1})
		n.change("hung", requestStart)
		time.Sleep(time.Second) // on the bubble's clock
		if rule.Hits() != 1 {
			t.Fatalf("%d lists are hung", rule.Hits())
		}
		began := time.Now()
		n.change("good", requestStart)
		n.waitState("good", status.StateRunning)
		if took := time.Since(began); took > time.Second {
			t.Errorf("the start beside it took %s", took)
		}
		rule.Release()
		n.waitState("hung", status.StateRunning)
	})
}
