package controller_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// TestCollection leaves waste of every kind about, and what only resembles it.
func TestCollection(t *testing.T) {
	var warned atomic.Int32
	sim, n := onSim(t, func(o *setup) {
		o.log = logHook(func(r slog.Record) {
			if strings.Contains(r.Message, "orphaned") && attrOf(r, "container") == "live-orphan" {
				warned.Add(1)
			}
		})
	})
	add := func(name, instance string, running bool) {
		labels := map[string]string{observed.LabelID: name, observed.LabelRole: string(observed.RoleRun), observed.LabelInstance: instance}
		if _, err := sim.Add(observed.RunName(name), &container.Config{Image: harness.Busybox(), Labels: labels}, &container.HostConfig{}, running); err != nil {
			t.Fatal(err)
		}
	}
	sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Exit(1) })
	for _, id := range []string{"dead-orphan", "live-orphan", "paused-orphan", "back"} {
		n.waitSynced(n.create(id, nil))
		n.change(id, erase)
		n.gone(id)
	}
	n.waitSynced(n.create("back", nil))
	n.waitSynced(n.create("failed", func(s *desired.Spec) { s.InstallScript = "false" }))
	add("dead-orphan", n.store.Instance(), false)
	add("live-orphan", n.store.Instance(), true)
	add("paused-orphan", n.store.Instance(), true)
	byExternal(sim, "POST", "/containers/lightd-paused-orphan/pause", "")
	if err := n.store.Update(t.Context(), func(tx *store.Tx) error { // something, but no deletion
		_, err := n.journal.Append(tx.Tx, journal.Event{InternalID: "unheard-of", Type: journal.Started})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	add("unheard-of", n.store.Instance(), false)
	add("foreigner", "another-instance", false)
	n.create("kept", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	n.waitState("kept", status.StateRunning)
	n.create("under-way", func(s *desired.Spec) { s.Image = "lightd-test/none:latest" })
	n.wait("under-way", "waiting for its image", func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonImageUnavailable })
	ref := func(tag string) string { return engine.Repository(n.store.Instance()) + ":" + tag }
	for _, tag := range []string{"unknown.1", "kept.1", "failed.1", "under-way.1", "under-way.7", "mine"} {
		sim.AddImage(ref(tag), simengine.ImageConfig{})
	}

	lists := simengine.Rule{Method: "GET", Route: "/containers/json"}
	refs := func() (refs []string) {
		tagged, err := n.engine.Images(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range tagged {
			refs = append(refs, i.Ref)
		}
		slices.Sort(refs)
		return refs
	}
	// What is left may be the work of an installation that is about to be recorded, or
	// be foreign.
	images := []string{ref("mine"), ref("under-way.1")}
	pollUntil(t, "the waste gone", func() bool {
		n.controller.TriggerGC()
		return !slices.Contains(sim.Names(), "lightd-dead-orphan") && len(refs()) <= len(images)
	})
	for range 2 { // and whatever else it takes for waste
		before := sim.CountCalls(lists)
		n.controller.TriggerGC()
		pollUntil(t, "a round of collection", func() bool { return sim.CountCalls(lists) > before })
	}
	names := sim.Names()
	slices.Sort(names)
	if want := []string{"lightd-back", "lightd-foreigner", "lightd-kept", "lightd-live-orphan", "lightd-paused-orphan", "lightd-unheard-of"}; !slices.Equal(names, want) {
		t.Errorf("left %v, want %v", names, want)
	}
	if got := refs(); !slices.Equal(got, images) {
		t.Errorf("images left: %v, want %v", got, images)
	}
	if events := n.events("back"); strings.Contains(events, "ContainerLost") {
		t.Errorf("what came back was treated as deleted: %s", events)
	}
	if warned.Load() != 1 {
		t.Errorf("warned %d times of one that is not touched", warned.Load())
	}
}

// TestOrphanHasItsGrace: a client may be about to do something with it.
func TestOrphanHasItsGrace(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.waitSynced(n.create("a", nil))
		n.change("a", erase)
		n.gone("a")
		labels := map[string]string{observed.LabelID: "a", observed.LabelRole: string(observed.RoleRun), observed.LabelInstance: n.store.Instance()}
		if _, err := sim.Add("lightd-a", &container.Config{Image: harness.Busybox(), Labels: labels}, nil, false); err != nil {
			t.Fatal(err)
		}
		collects := func() bool {
			time.Sleep(time.Second)
			n.controller.TriggerGC()
			time.Sleep(time.Second)
			return len(sim.Names()) == 0
		}
		for range 20 {
			if collects() {
				t.Fatal("removed within its grace")
			}
		}
		sim.Inject(simengine.Rule{Method: "GET", Route: "/containers/json", Status: 500, Message: "no", Times: 1})
		collects() // which it cannot, and its grace continues
		time.Sleep(time.Minute)
		if !collects() {
			t.Error("not removed after its grace")
		}
	}, func(o *setup) { o.grace = time.Minute })
}

// pollUntil waits for what no channel notifies of: the state of the simulated engine.
func pollUntil(t tester, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(eventually.Bound)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not after %s: %s", eventually.Bound, what)
		}
	}
}

// met waits until so many calls have met a rule.
func met(t *testing.T, rule *simengine.Injected, calls int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Bound)
	defer cancel()
	if err := rule.Await(ctx, calls); err != nil {
		t.Fatalf("%d calls in %s, want %d", rule.Hits(), eventually.Bound, calls)
	}
}

// cycles has containers created, run and deleted with their volumes, several at once. Their ids
// come back, as ids do.
func (n *node) cycles(ids []string, times int, script string) {
	n.t.Helper()
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			for i := range times {
				if n.t.Failed() {
					return
				}
				first := "" // most have no script
				if i == 0 {
					first = script
				}
				if err := n.cycle(id, first); err != nil {
					n.t.Errorf("%s: %v; events %s", id, err, n.events(id))
				}
			}
		})
	}
	all.Wait()
	if n.t.Failed() {
		n.t.FailNow()
	}
}

// cycle is one lifecycle from a volume to nothing.
func (n *node) cycle(id, script string) error {
	ctx := n.t.Context()
	v, err := n.volumes.Create(ctx)
	if err != nil {
		return err
	}
	s := desired.DefaultSpec()
	s.InternalID, s.Image, s.VolumeID = id, harness.Busybox(), v.ID
	s.StartupCommand, s.InstallScript, s.Power = "exec sleep 1000", script, desired.PowerRunning
	s.Stop.Signal = "SIGKILL"
	if _, err := n.store.Create(ctx, s); err != nil {
		return err
	}
	n.waitState(id, status.StateRunning)
	if _, err := n.store.Change(ctx, id, func(c *desired.Container) error { erase(c); return nil }); err != nil {
		return err
	}
	n.gone(id)
	return n.volumes.Delete(ctx, v.ID)
}

// bare fails the test unless nothing is left of containers anywhere but in the journal.
func (n *node) bare(names func() []string) {
	n.t.Helper()
	n.controller.TriggerGC()
	pollUntil(n.t, "no image left", func() bool {
		tagged, err := n.engine.Images(n.t.Context())
		return err == nil && len(tagged) == 0
	})
	if names, ids := names(), n.cache.IDs(); len(names) > 0 || len(ids) > 0 {
		n.t.Errorf("containers left: %v, in the cache: %v", names, ids)
	}
	for _, dir := range []string{"containers", "volumes"} {
		left, err := os.ReadDir(filepath.Join(n.dir, dir))
		if err != nil {
			n.t.Fatal(err)
		}
		for _, e := range left {
			n.t.Errorf("left in %s: %s", dir, e.Name())
		}
	}
	keys := map[string]int{}
	err := n.store.View(func(tx *store.Tx) error {
		return tx.ScanKeys(nil, nil, func(k []byte) bool {
			kind, _, _ := strings.Cut(string(k), "/")
			keys[kind]++
			return true
		})
	})
	if delete(keys, "e"); err != nil || keys["m"] != 2 || len(keys) != 1 {
		n.t.Errorf("left in the database: %v, %v", keys, err)
	}
}

// TestEntrypointThatWasAlteredIsFixed at the next collection: files make no event.
func TestEntrypointThatWasAlteredIsFixed(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		c := n.create("a", nil)
		n.waitSynced(c)
		if err := os.WriteFile(filepath.Join(n.data.Path("a"), "entrypoint.sh"), []byte("exit 1"), 0o755); err != nil {
			t.Fatal(err)
		}
		looks := simengine.Rule{Method: "GET", Route: "/containers/{id}/json"}
		before := sim.CountCalls(looks)
		time.Sleep(30 * time.Second)
		if !n.data.EntrypointOK(c.Spec) {
			t.Error("it is not")
		}
		if made := sim.CountCalls(looks) - before; made > 0 {
			t.Errorf("%d inspects of the container for a file", made)
		}
	}, seldom, func(o *setup) { o.collect = 20 * time.Second })
}

// TestImagesThatAreNotNeededAreDropped, and no others, which would be inspected again and again.
func TestImagesThatAreNotNeededAreDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		sim.AddImage("other:1", simengine.ImageConfig{})
		n.waitSynced(n.create("a", nil))
		n.waitSynced(n.create("b", func(s *desired.Spec) { s.Image = "other:1" }))
		n.change("b", erase)
		n.gone("b")
		time.Sleep(30 * time.Second)
		if n.images.Known("other:1").Known || !n.images.Known(harness.Busybox()).Known {
			t.Errorf("known is what is not needed: %t, what is needed: %t", n.images.Known("other:1").Known, n.images.Known(harness.Busybox()).Known)
		}
	}, func(o *setup) { o.collect = 20 * time.Second })
}
