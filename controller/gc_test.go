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
	"lightd/desired/trash"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// addOrphan adds a container to the engine that the node has no spec of.
func addOrphan(t *testing.T, sim *simengine.Sim, id, instance string, running bool) {
	t.Helper()
	labels := map[string]string{observed.LabelID: id, observed.LabelRole: string(observed.RoleRun), observed.LabelInstance: instance}
	if _, err := sim.Add(observed.RunName(id), &container.Config{Image: harness.Busybox(), Labels: labels}, &container.HostConfig{}, running); err != nil {
		t.Fatal(err)
	}
}

// collectTwice returns once two more collections have called the route that lists what they collect.
func (n *node) collectTwice(sim *simengine.Sim, route string) {
	n.t.Helper()
	lists := simengine.Rule{Method: "GET", Route: route}
	for range 2 {
		before := sim.CountCalls(lists)
		n.controller.TriggerGC()
		pollUntil(n.t, "a round of collection", func() bool { return sim.CountCalls(lists) > before })
	}
}

// TestOrphansAreCollected where the journal has their deletion and they are stopped, and no others.
func TestOrphansAreCollected(t *testing.T) {
	var warned atomic.Int32
	sim, n := onSim(t, func(o *setup) {
		o.log = logHook(func(r slog.Record) {
			if strings.Contains(r.Message, "orphaned") && attrOf(r, "container") == "live-orphan" {
				warned.Add(1)
			}
		})
	})
	for _, id := range []string{"dead-orphan", "live-orphan", "paused-orphan", "back"} {
		n.waitSynced(n.create(id, nil))
		n.change(id, requestDelete)
		n.gone(id)
	}
	n.waitSynced(n.create("back", nil))
	addOrphan(t, sim, "dead-orphan", n.store.Instance(), false)
	addOrphan(t, sim, "live-orphan", n.store.Instance(), true)
	addOrphan(t, sim, "paused-orphan", n.store.Instance(), true)
	byExternal(sim, "POST", "/containers/lightd-paused-orphan/pause", "")
	if err := n.store.Update(t.Context(), func(tx *store.Tx) error { // something, but no deletion
		_, err := n.journal.Append(tx.Tx, journal.Event{InternalID: "not-deleted", Type: journal.Started})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	addOrphan(t, sim, "not-deleted", n.store.Instance(), false)
	addOrphan(t, sim, "foreign", "another-instance", false)
	n.create("kept", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	n.waitState("kept", status.StateRunning)

	pollUntil(t, "the orphan gone", func() bool {
		n.controller.TriggerGC()
		return !slices.Contains(sim.Names(), "lightd-dead-orphan")
	})
	n.collectTwice(sim, "/containers/json")
	names := sim.Names()
	slices.Sort(names)
	if want := []string{"lightd-back", "lightd-foreign", "lightd-kept", "lightd-live-orphan", "lightd-not-deleted", "lightd-paused-orphan"}; !slices.Equal(names, want) {
		t.Errorf("left %v, want %v", names, want)
	}
	if events := n.events("back"); strings.Contains(events, "ContainerLost") {
		t.Errorf("what came back was treated as deleted: %s", events)
	}
	if warned.Load() != 1 {
		t.Errorf("warned %d times of one that is not touched", warned.Load())
	}
}

// TestImagesOfInstallationsAreCollected but for those that may be the work of an installation that is
// about to be recorded, and foreign ones.
func TestImagesOfInstallationsAreCollected(t *testing.T) {
	sim, n := onSim(t)
	sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Exit(1) })
	n.waitSynced(n.create("failed", func(s *desired.Spec) { s.InstallScript = "false" }))
	n.waitSynced(n.create("kept", nil))
	n.create("under-way", func(s *desired.Spec) { s.Image = "lightd-test/none:latest" })
	n.wait("under-way", "waiting for its image", func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonImageUnavailable })
	ref := func(tag string) string { return engine.Repository(n.store.Instance()) + ":" + tag }
	for _, tag := range []string{"unknown.1", "kept.1", "failed.1", "under-way.1", "under-way.7", "mine"} {
		sim.AddImage(ref(tag), simengine.ImageConfig{})
	}
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
	want := []string{ref("mine"), ref("under-way.1")}
	pollUntil(t, "the images gone", func() bool {
		n.controller.TriggerGC()
		return len(refs()) <= len(want)
	})
	n.collectTwice(sim, "/images/json")
	if got := refs(); !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

// TestOrphanHasItsGrace: a client may be about to do something with it.
func TestOrphanHasItsGrace(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
		n.waitSynced(n.create("a", nil))
		n.change("a", requestDelete)
		n.gone("a")
		addOrphan(t, sim, "a", n.store.Instance(), false)
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

// runLifecycles has containers created, run and deleted with their volumes, several at once. Their ids
// come back, as ids do.
func (n *node) runLifecycles(ids []string, times int, script string) {
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
				if err := n.runLifecycle(id, first); err != nil {
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

// runLifecycle creates a volume and a container, runs it, and deletes both.
func (n *node) runLifecycle(id, script string) error {
	ctx := n.t.Context()
	v, err := n.volumes.Create(ctx, store.Creator{})
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
	if _, err := n.store.Change(ctx, id, func(c *desired.Container) error { requestDelete(c); return nil }); err != nil {
		return err
	}
	n.gone(id)
	return n.volumes.Delete(ctx, v.ID)
}

// checkNothingLeft fails the test unless nothing is left of containers anywhere but in the journal.
func (n *node) checkNothingLeft(names func() []string) {
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
		for _, at := range []string{dir, filepath.Join(dir, trash.Name)} {
			left, err := os.ReadDir(filepath.Join(n.dir, at))
			if err != nil {
				n.t.Fatal(err)
			}
			for _, e := range left {
				if e.Name() != trash.Name {
					n.t.Errorf("left in %s: %s", at, e.Name())
				}
			}
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
		inspects := simengine.Rule{Method: "GET", Route: "/containers/{id}/json"}
		before := sim.CountCalls(inspects)
		time.Sleep(30 * time.Second)
		if !n.data.EntrypointOK(c.Spec) {
			t.Error("it is not")
		}
		if made := sim.CountCalls(inspects) - before; made > 0 {
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
		n.change("b", requestDelete)
		n.gone("b")
		time.Sleep(30 * time.Second)
		if n.images.Known("other:1").Known || !n.images.Known(harness.Busybox()).Known {
			t.Errorf("known is what is not needed: %t, what is needed: %t", n.images.Known("other:1").Known, n.images.Known(harness.Busybox()).Known)
		}
	}, func(o *setup) { o.collect = 20 * time.Second })
}
