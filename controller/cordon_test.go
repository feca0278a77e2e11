package controller_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

func (n *node) cordon(c desired.Cordon) {
	n.t.Helper()
	c.Parallel = max(c.Parallel, 1)
	n.must(n.store.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.PutCordon(c)
		return err
	}))
}

func (n *node) uncordon() {
	n.t.Helper()
	n.must(n.store.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.DeleteCordon()
		return err
	}))
}

// nodeEvents are the events of the node itself.
func (n *node) nodeEvents() string {
	n.t.Helper()
	page, _, err := n.journal.Page("", 0, 1000)
	n.must(err)
	var types []string
	for _, e := range page {
		if e.InternalID == "" {
			types = append(types, string(e.Type))
		}
	}
	return strings.Join(types, " ")
}

// fleet are programs that need a second to end; those of deaf do not hear of it.
type fleet struct {
	mu      sync.Mutex
	deaf    map[string]bool
	ending  map[string]bool
	order   []string
	most    int
	started int
}

func (f *fleet) program(ctx context.Context, p *simengine.Process) {
	id := p.Labels()[observed.LabelID]
	f.mu.Lock()
	f.started++
	deaf := f.deaf[id]
	f.mu.Unlock()
	select {
	case <-ctx.Done():
		return
	case <-p.Signals():
	}
	f.mu.Lock()
	f.order, f.ending[id] = append(f.order, id), true
	f.most = max(f.most, len(f.ending))
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.ending, id)
		f.mu.Unlock()
	}()
	if deaf {
		<-ctx.Done()
		return
	}
	time.Sleep(time.Second)
}

// running are the ids of what runs.
func running(n *node) (ids []string) {
	for _, c := range n.store.Containers() {
		if n.cache.Get(c.InternalID).Run.Running() {
			ids = append(ids, c.InternalID)
		}
	}
	return ids
}

// remaining are what a drain waits for, with the reasons.
func remaining(n *node) (text string) {
	for _, h := range n.controller.Drain().Remaining {
		text += " " + h.InternalID + ":" + string(h.Reason)
	}
	return strings.TrimSpace(text)
}

// TestDrainInOrder: two at once, by their ids, each with its own time; a daemon that starts meanwhile carries it on, and
// whoever outlives SIGKILL keeps nobody. What is paused is left alone. Then all that should run is started.
func TestDrainInOrder(t *testing.T) {
	f := &fleet{deaf: map[string]bool{"c": true}, ending: map[string]bool{}}
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.OnCommand("entrypoint.sh", f.program)
		for _, id := range strings.Fields("f e d c b a p") {
			n.create(id, func(s *desired.Spec) {
				s.Power, s.Paused = desired.PowerRunning, false
				s.Stop.Timeout = desired.Duration(10 * time.Second)
			})
			n.waitState(id, status.StateRunning)
		}
		n.create("stopped", nil)
		n.change("p", func(c *desired.Container) { c.Paused = true })
		time.Sleep(10 * time.Second)
		if got, d := remaining(n), n.controller.Drain(); got != "a:Running b:Running c:Running d:Running e:Running f:Running" || d.Running != 6 {
			t.Errorf("in service, a drain would wait for %s, of which %d run", got, d.Running)
		}
		n.cordon(desired.Cordon{Drain: true, Parallel: 2, Reason: "kernel update"})
		time.Sleep(2500 * time.Millisecond)
		if got := fmt.Sprint(running(n)); got != "[c d e f p]" && got != "[c e f p]" {
			t.Errorf("after 2.5 s there run %s", got)
		}
		n.stop()
		n = n.restart()
		time.Sleep(6 * time.Second)
		if got := fmt.Sprint(running(n)); got != "[c p]" {
			t.Errorf("while one has its grace, there run %s", got)
		}
		if got := remaining(n); got != "c:Stopping" {
			t.Errorf("while one has its grace, the drain waits for %s", got)
		}
		if got := n.nodeEvents(); got != "NodeCordoned" {
			t.Errorf("the node has the events %s", got)
		}
		time.Sleep(5 * time.Second)
		f.mu.Lock()
		if got := strings.Join(slices.Compact(f.order), ""); f.most > 2 || got != "abcdef" && got != "bacdef" {
			t.Errorf("they ended in the order %s, %d at once", got, f.most)
		}
		before := f.started
		f.mu.Unlock()
		n.stop()
		n = n.restart()
		time.Sleep(time.Hour)
		if got := n.nodeEvents(); fmt.Sprint(running(n)) != "[p]" || got != "NodeCordoned NodeDrained" || !n.statuses.Node().Drained {
			t.Errorf("drained: %s run, events %s", running(n), got)
		}
		if d := n.controller.Drain(); len(d.Remaining) > 0 || d.Running > 0 {
			t.Errorf("drained, and it waits for %+v", d)
		}
		for _, id := range []string{"a", "stopped"} {
			st, _ := n.statuses.Get(id)
			if synced := st.Get(status.Synced); (synced.Reason == status.ReasonNodeDrained) != (id == "a") || st.State != status.StateOffline {
				t.Errorf("%s: %s, %+v", id, st.State, synced)
			}
		}
		n.uncordon()
		time.Sleep(time.Second)
		if got := fmt.Sprint(running(n)); got != "[a b c d e f p]" || f.started != before+6 || n.nodeEvents() != "NodeCordoned NodeDrained NodeUncordoned" {
			t.Errorf("in service: %s run, %d starts, events %s", got, f.started-before, n.nodeEvents())
		}
	})
}

// TestDrainPassesWhatDoesNotDie: a process that outlives SIGKILL keeps no other one from its turn, and the drain is over
// once the install script that runs has ended too.
func TestDrainPassesWhatDoesNotDie(t *testing.T) {
	f := &fleet{deaf: map[string]bool{"a": true}, ending: map[string]bool{}}
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.OnCommand("entrypoint.sh", f.program)
		sim.OnCommand("install-entry.sh", func(ctx context.Context, p *simengine.Process) {
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Minute):
			}
		})
		for _, id := range []string{"a", "b"} {
			n.create(id, func(s *desired.Spec) { s.Power, s.Init = desired.PowerRunning, true })
			n.waitState(id, status.StateRunning)
		}
		n.create("z", func(s *desired.Spec) { s.InstallScript = "true" })
		n.wait("z", "installing", func(st status.Status) bool { return st.Install.Phase == status.InstallScript })
		time.Sleep(time.Second)
		hung := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Target: observed.RunName("a"), Skip: 1, Hang: true})
		n.cordon(desired.Cordon{Drain: true, Parallel: 1})
		time.Sleep(9 * time.Second)
		if got := fmt.Sprint(running(n)); got != "[a b]" {
			t.Errorf("before SIGKILL %s run", got)
		}
		time.Sleep(5 * time.Second)
		if got := fmt.Sprint(running(n)); got != "[a]" {
			t.Errorf("after SIGKILL %s run", got)
		}
		if got, d := remaining(n), n.controller.Drain(); got != "a:Killed z:Installing" || d.Running != 2 {
			t.Errorf("after SIGKILL the drain waits for %s, %d run", got, d.Running)
		}
		hung.Release()
		time.Sleep(time.Minute)
		if len(running(n)) > 0 || n.statuses.Node().Drained {
			t.Errorf("%v run, drained %t while a script runs", running(n), n.statuses.Node().Drained)
		}
		time.Sleep(5 * time.Minute)
		st, _ := n.statuses.Get("z")
		if !n.statuses.Node().Drained || st.Install.Phase != status.InstallEntrypoint {
			t.Errorf("after the script: %+v, %s", n.statuses.Node(), st.Install.Phase)
		}
		n.cordon(desired.Cordon{Reason: "another"})
		time.Sleep(time.Second)
		if n.statuses.Node().Drained || len(running(n)) > 0 {
			t.Errorf("a cordon alone: %+v", n.statuses.Node())
		}
		n.uncordon()
		time.Sleep(time.Minute)
		if got := fmt.Sprint(running(n)); got != "[a b]" {
			t.Errorf("in service %s run", got)
		}
	})
}

// TestDrainWaitsForAStartUnderWay: a drain is not over while the engine may yet start what it was asked for.
func TestDrainWaitsForAStartUnderWay(t *testing.T) {
	for _, name := range []string{observed.InstallName("a"), observed.RunName("a")} {
		inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
			sim.OnCommand("install-entry.sh", func(context.Context, *simengine.Process) { time.Sleep(time.Second) })
			hung := sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/start", Target: name, Hang: true})
			n.create("a", func(s *desired.Spec) { s.Power, s.InstallScript = desired.PowerRunning, "true" })
			n.create("b", nil)
			time.Sleep(30 * time.Second)
			n.cordon(desired.Cordon{Drain: true})
			n.change("b", func(c *desired.Container) { c.Labels = map[string]string{"reconciled": "again"} })
			time.Sleep(2 * time.Second)
			if hung.Hits() == 0 || n.statuses.Node().Drained {
				t.Errorf("%s: %d calls to start it, drained: %+v", name, hung.Hits(), n.statuses.Node())
			}
			if got := remaining(n); got != "a:Starting" {
				t.Errorf("%s: the drain waits for %s", name, got)
			}
			hung.Release()
			time.Sleep(5 * time.Minute)
			if len(running(n)) > 0 || !n.statuses.Node().Drained {
				t.Errorf("%s, in the end: %s run, %+v", name, running(n), n.statuses.Node())
			}
		})
	}
}

// TestNothingBeginsAfterACordon: whenever it comes in the life of a container, no call that begins something follows
// its acknowledgement.
func TestNothingBeginsAfterACordon(t *testing.T) {
	begins := func(c simengine.Call) bool {
		return c.Method == "POST" && (strings.HasSuffix(c.Route, "/start") || c.Route == "/containers/create" || c.Route == "/images/create")
	}
	kinds := map[string]bool{}
	for at := time.Duration(0); at < 40*latency; at += latency / 2 {
		inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
			sim.OnCommand("install-entry.sh", func(context.Context, *simengine.Process) { time.Sleep(3 * latency) })
			n.create("a", func(s *desired.Spec) { s.Power, s.InstallScript = desired.PowerRunning, "true" })
			time.Sleep(at)
			n.cordon(desired.Cordon{})
			time.Sleep(3 * latency) // a step whose call was being made
			had := len(sim.Calls())
			time.Sleep(time.Hour)
			for _, c := range sim.Calls()[had:] {
				if begins(c) {
					t.Errorf("cordoned after %s: %s %s", at, c.Method, c.Route)
				}
			}
			st, _ := n.statuses.Get("a")
			kinds[string(st.Install.Phase)+" "+string(st.State)] = true
			if !n.cache.Get("a").Run.Running() && st.Get(status.Synced).Reason != status.ReasonNodeCordoned || st.State == status.StateStarting {
				t.Errorf("cordoned after %s: %s, %+v", at, st.State, st.Get(status.Synced))
			}
			n.uncordon()
			time.Sleep(time.Minute)
			if st, _ := n.statuses.Get("a"); st.State != status.StateRunning || st.Restarts > 0 {
				t.Errorf("cordoned after %s, in service: %s, %+v", at, st.State, st.Get(status.Synced))
			}
		})
	}
	if len(kinds) < 5 {
		t.Errorf("the cordons came at too few points: %v", slices.Sorted(maps.Keys(kinds)))
	}
}

// TestCordonOutlivesTheEngine: what the engine ends while it restarts is started once the node is in service, and not
// before, and the end is an event.
func TestCordonOutlivesTheEngine(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
		n.waitState("a", status.StateRunning)
		time.Sleep(time.Second)
		n.cordon(desired.Cordon{Reason: "new engine"})
		sim.Refuse()
		n.stop()
		n = n.restart()
		time.Sleep(time.Minute)
		if got, d := remaining(n), n.controller.Drain(); got != "a:Unobserved" || d.Running != 1 {
			t.Errorf("while the engine is away a drain would wait for %s, of which %d run by the record", got, d.Running)
		}
		_ = sim.Restart(false)
		time.Sleep(time.Hour)
		st, _ := n.statuses.Get("a")
		if st.State != status.StateOffline || st.Get(status.ProcessStarted).Reason != status.ReasonNodeCordoned || !strings.HasSuffix(n.events("a"), string(journal.Exited)) {
			t.Errorf("%s, %+v, events %s", st.State, st.Conditions, n.events("a"))
		}
		n.uncordon()
		time.Sleep(time.Second)
		if st := n.waitState("a", status.StateRunning); st.Crashes > 0 {
			t.Errorf("%d crashes", st.Crashes)
		}
	})
}
