package controller_test

import (
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/subscribe"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/status"
)

// TestExternalPauseOnARealEngine is not touched for a minute, and then ended without a restart.
func TestExternalPauseOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker := harness.Docker(t)
	n.create("pause", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	before := n.waitState("pause", status.StateRunning)
	n.wait("pause", "in sync", synced)
	if err := harness.Pause(func() error { return docker.ContainerPause(t.Context(), before.ContainerID) }); err != nil {
		t.Fatal(err)
	}
	st := n.wait("pause", "paused", func(st status.Status) bool { return st.Pause != nil })
	since := st.Pause.Since
	if !synced(st) || strings.Contains(n.events("pause"), "DriftDetected") {
		t.Errorf("%+v, events %s", st.Get(status.Synced), n.events("pause"))
	}
	n.waitDrift("pause", "power deferred UnpauseContainer")
	pollUntil(t, "the next attempt is named", func() bool { return n.controller.NextAttempt("pause").At.Equal(since.Add(plan.PauseGrace)) })
	deadline := time.NewTimer(time.Until(since.Add(plan.PauseGrace + 30*time.Second)))
	defer deadline.Stop()
	gone := make(chan struct{}, 1)
	cancel := n.statuses.Subscribe(func(string) {
		if st, ok := n.statuses.Get("pause"); ok && st.Pause == nil {
			subscribe.Wake(gone)
		}
	})
	defer cancel()
	select {
	case <-gone:
	case <-deadline.C:
		t.Fatal("it is paused still")
	}
	if lasted := time.Since(since); lasted < plan.PauseGrace {
		t.Errorf("unpaused after %s", lasted)
	}
	after := n.wait("pause", "in sync", synced)
	if c := n.inspect("pause"); c.Phase != observed.Running || !after.Run.Is(before.Run) {
		t.Errorf("it is %s, run %+v, before %+v", c.Phase, after.Run, before.Run)
	}
}

// TestExternalCommitOnARealEngine is not disturbed: the engine pauses a container while it
// commits it.
func TestExternalCommitOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker := harness.Docker(t)
	n.create("commit", func(s *desired.Spec) {
		s.Power, s.StartPattern = desired.PowerRunning, "written"
		s.StartupCommand = "dd if=/dev/zero of=/big bs=1048576 count=300 2>/dev/null; echo written; sleep 100000"
	})
	before := n.waitState("commit", status.StateRunning)
	n.wait("commit", "in sync", synced)
	paused := make(chan struct{})
	cancel := n.statuses.Subscribe(func(string) {
		if st, ok := n.statuses.Get("commit"); ok && st.Pause != nil {
			select {
			case <-paused:
			default:
				close(paused)
			}
		}
	})
	defer cancel()
	var made container.CommitResponse
	err := harness.Pause(func() (err error) {
		made, err = docker.ContainerCommit(t.Context(), before.ContainerID, container.CommitOptions{Pause: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer docker.ImageRemove(t.Context(), made.ID, image.RemoveOptions{Force: true})
	select {
	case <-paused:
	case <-time.After(10 * time.Second):
		t.Error("the pause of the commit was not observed: the test shows nothing")
	}
	st := n.wait("commit", "unpaused", func(st status.Status) bool { return st.Pause == nil && synced(st) })
	if !st.Run.Is(before.Run) || strings.Contains(n.events("commit"), "DriftDetected") {
		t.Errorf("run %+v, before %+v; events %s", st.Run, before.Run, n.events("commit"))
	}
}
