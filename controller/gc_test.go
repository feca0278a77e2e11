package controller_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/simengine"
	"lightd/observed/status"
)

// TestCollection leaves waste of every kind about, and what only looks like it.
func TestCollection(t *testing.T) {
	sim, n := onSim(t)
	add := func(name, instance string, running bool) {
		labels := map[string]string{observed.LabelID: name, observed.LabelRole: string(observed.RoleRun), observed.LabelInstance: instance}
		if _, err := sim.Add(observed.RunName(name), &container.Config{Image: testImage(), Labels: labels}, &container.HostConfig{}, running); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"dead-orphan", "live-orphan"} {
		n.waitSynced(n.create(id, nil))
		n.change(id, erase)
		n.gone(id)
	}
	add("dead-orphan", n.store.Instance(), false)
	add("live-orphan", n.store.Instance(), true)
	add("unheard-of", n.store.Instance(), false)
	add("foreigner", "another-instance", false)
	n.create("kept", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	n.waitState("kept", status.StateRunning)
	ref := func(tag string) string { return engine.Repository(n.store.Instance()) + ":" + tag }
	for _, tag := range []string{"nobody.1", "kept.1", "kept.7"} {
		sim.AddImage(ref(tag), simengine.ImageConfig{})
	}

	lists := simengine.Rule{Method: "GET", Route: "/containers/json"}
	eventually(t, "the waste gone", func() bool { n.controller.Nudge(); return !slices.Contains(sim.Names(), "lightd-dead-orphan") })
	for range 2 { // and whatever else it takes for waste
		before := sim.CountCalls(lists)
		n.controller.Nudge()
		eventually(t, "a round of collection", func() bool { return sim.CountCalls(lists) > before })
	}
	names := sim.Names()
	slices.Sort(names)
	if want := []string{"lightd-foreigner", "lightd-kept", "lightd-live-orphan", "lightd-unheard-of"}; !slices.Equal(names, want) {
		t.Errorf("left %v, want %v", names, want)
	}
	tagged, err := n.engine.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Those of "kept" may be the work of an installation that is about to be recorded.
	var refs []string
	for _, i := range tagged {
		refs = append(refs, i.Ref)
	}
	slices.Sort(refs)
	if want := []string{ref("kept.1"), ref("kept.7")}; !slices.Equal(refs, want) {
		t.Errorf("images left: %v, want %v", refs, want)
	}
}

// eventually waits for what no channel tells: the state of the simulated engine.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not after 30 s: %s", what)
		}
	}
}

// TestCyclesLeaveNothing makes and deletes containers over and over: nothing of them stays
// in Docker, on disk or in memory.
func TestCyclesLeaveNothing(t *testing.T) {
	sim, n := onSim(t)
	cycle := func(times int) {
		for i := range times {
			id := fmt.Sprintf("cycle-%d", i%10) // ids come back, as they do
			c := n.create(id, func(s *desired.Spec) { s.Power, s.InstallScript = desired.PowerRunning, "true" })
			n.waitState(id, status.StateRunning)
			n.change(id, erase)
			n.gone(id)
			if err := n.volumes.Delete(t.Context(), c.VolumeID); err != nil {
				t.Fatal(err)
			}
		}
	}
	sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { p.Change("/usr/tool", 1) })
	cycle(20)
	goroutines := runtime.NumGoroutine()
	cycle(100)
	eventually(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
	n.controller.Nudge()
	eventually(t, "no image left", func() bool {
		tagged, err := n.engine.Images(t.Context())
		return err == nil && len(tagged) == 0
	})
	if names, ids := sim.Names(), n.cache.IDs(); len(names) > 0 || len(ids) > 0 {
		t.Errorf("containers left: %v, in the cache: %v", names, ids)
	}
	for _, dir := range []string{"containers", "volumes"} {
		left, err := os.ReadDir(filepath.Join(n.dir, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range left {
			if !strings.HasPrefix(e.Name(), ".") {
				t.Errorf("left in %s: %s", dir, e.Name())
			}
		}
	}
}
