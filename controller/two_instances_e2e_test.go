package controller_test

import (
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
	"lightd/observed/status"
)

// TestTwoInstancesOnARealEngine collect what each has left about, delete and crash, and never
// touch what the other has.
func TestTwoInstancesOnARealEngine(t *testing.T) {
	t.Parallel()
	a := newNode(t, t.TempDir())
	// b leaves its own waste alone for as long as a's collection is watched.
	b := newNode(t, t.TempDir(), func(o *setup) { o.grace = time.Hour })
	for _, n := range []*node{a, b} {
		n.clean()
	}
	script := func(s *desired.Spec) { s.Power, s.InstallScript = desired.PowerRunning, "echo tool > /usr/tool" }
	a.create("instance-a", script)
	b.create("instance-b", script)
	before := a.waitState("instance-a", status.StateRunning)
	other := b.waitState("instance-b", status.StateRunning)
	garbageA, garbageB := a.leaveGarbage("instance-waste-a"), b.leaveGarbage("instance-waste-b")

	pollUntil(t, "a's waste gone", func() bool { a.controller.TriggerGC(); return a.left(garbageA...) == 0 })
	if b.left(append(garbageB, "lightd-instance-b", other.Install.Snapshot)...) != 4 {
		t.Error("a collected what is b's")
	}
	b.stop()
	b = newNode(t, b.dir)
	pollUntil(t, "b's waste gone", func() bool { b.controller.TriggerGC(); return b.left(garbageB...) == 0 })
	b.change("instance-b", requestDelete)
	b.gone("instance-b")
	pollUntil(t, "b's snapshot gone", func() bool { b.controller.TriggerGC(); return b.left(other.Install.Snapshot) == 0 })
	if a.left(before.Install.Snapshot) != 1 {
		t.Error("b removed a's snapshot")
	}
	if now := a.inspect("instance-a"); !now.StartedAt.Equal(before.Run.StartedAt) || now.ContainerID != before.ContainerID {
		t.Errorf("a's container was touched: %+v", now)
	}
}

// leaveGarbage leaves a container of a deleted spec and a snapshot that is not needed, and returns
// the names of both.
func (n *node) leaveGarbage(id string) []string {
	n.t.Helper()
	n.waitSynced(n.create(id, nil))
	n.change(id, requestDelete)
	n.gone(id)
	containerID, _, err := n.engine.Create(n.t.Context(), blueprint.Blueprint{
		Name: observed.RunName(id), Image: harness.Busybox(), Labels: map[string]string{
			observed.LabelInstance: n.store.Instance(), observed.LabelRole: string(observed.RoleRun), observed.LabelID: id,
		},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	ref := engine.Repository(n.store.Instance()) + ":" + id + ".1"
	if _, err := n.engine.Commit(n.t.Context(), containerID, ref, ""); err != nil {
		n.t.Fatal(err)
	}
	return []string{observed.RunName(id), ref}
}

// left counts the names that are a container or an image.
func (n *node) left(names ...string) int {
	n.t.Helper()
	count := 0
	for _, name := range names {
		_, _, err := n.engine.Inspect(n.t.Context(), name)
		image, err2 := n.engine.Image(n.t.Context(), name)
		if err == nil || err2 == nil && image.Present {
			count++
		}
	}
	return count
}
