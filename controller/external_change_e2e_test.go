package controller_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/status"
)

// sameRun reports whether a container was neither restarted nor recreated.
func sameRun(a, b observed.Container) bool {
	return a.ContainerID == b.ContainerID && a.StartedAt.Equal(b.StartedAt)
}

func restarted(a, b observed.Container) bool {
	return a.ContainerID == b.ContainerID && b.StartedAt.After(a.StartedAt)
}

func recreated(a, b observed.Container) bool { return a.ContainerID != b.ContainerID }

// operatorChanges are what an operator may do to a running container, and how it is healed.
var operatorChanges = map[string]struct {
	disturb func(context.Context, *client.Client, observed.Container) error
	healed  func(before, after observed.Container) bool
}{
	"killed": {func(ctx context.Context, docker *client.Client, c observed.Container) error {
		return docker.ContainerKill(ctx, c.ContainerID, "KILL")
	}, restarted},
	"stopped": {func(ctx context.Context, docker *client.Client, c observed.Container) error {
		return docker.ContainerStop(ctx, c.ContainerID, container.StopOptions{})
	}, restarted},
	"removed": {func(ctx context.Context, docker *client.Client, c observed.Container) error {
		return docker.ContainerRemove(ctx, c.ContainerID, container.RemoveOptions{Force: true})
	}, recreated},
	"renamed": {func(ctx context.Context, docker *client.Client, c observed.Container) error {
		return docker.ContainerRename(ctx, c.ContainerID, c.Name+"-old")
	}, sameRun},
	"updated": {func(ctx context.Context, docker *client.Client, c observed.Container) error {
		_, err := docker.ContainerUpdate(ctx, c.ContainerID, container.UpdateConfig{
			Resources: container.Resources{Memory: 32 << 20, MemorySwap: 32 << 20, NanoCPUs: 1e8},
		})
		return err
	}, func(a, b observed.Container) bool { return sameRun(a, b) && a.Limits == b.Limits }},
	"disconnected": {func(ctx context.Context, docker *client.Client, c observed.Container) error {
		return docker.NetworkDisconnect(ctx, blueprint.DefaultNetwork.Name, c.ContainerID, true)
	}, func(a, b observed.Container) bool { return recreated(a, b) && len(b.Networks) == 1 }},
	"network removed": {func(ctx context.Context, docker *client.Client, _ observed.Container) error {
		if err := docker.NetworkRemove(ctx, blueprint.DefaultNetwork.Name); err == nil {
			return errors.New("the engine has removed a network that is in use")
		}
		return nil
	}, func(a, b observed.Container) bool { return sameRun(a, b) && len(b.Networks) == 1 }},
}

func limited(s *desired.Spec) {
	s.Power, s.StartPattern = desired.PowerRunning, "tick"
	s.Limits.Memory, s.Limits.CPU = 64<<20, 0.5
}

// TestDisturbancesAreHealedOnARealEngine: what is done to a running container is undone.
func TestDisturbancesAreHealedOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker := harness.Docker(t)
	for name, c := range operatorChanges {
		t.Run(name, func(t *testing.T) {
			id := "disturbed-" + strings.ReplaceAll(name, " ", "-")
			n.create(id, limited)
			n.waitState(id, status.StateRunning)
			before, began := n.inspect(id), time.Now()
			defer func() { t.Logf("healed after %s", time.Since(began).Round(time.Millisecond)) }()
			if err := c.disturb(t.Context(), docker, before); err != nil {
				t.Fatal(err)
			}
			n.wait(id, "healed", func(st status.Status) bool {
				after, _, err := n.engine.Inspect(t.Context(), observed.RunName(id))
				return err == nil && c.healed(before, after) && st.State == status.StateRunning &&
					st.Get(status.Synced).Status == status.True
			})
		})
	}
}

// TestEntryScriptIsRestoredOnARealEngine when it was altered or removed, and its container is not
// restarted. Files make no event: what is checked every five minutes is checked every second here.
func TestEntryScriptIsRestoredOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), func(o *setup) { o.collect = time.Second })
	n.clean()
	for name, disturb := range map[string]func(file string) error{
		"altered": func(file string) error { return os.WriteFile(file, []byte("exit 1"), 0o755) },
		"removed": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			id := "entrypoint-" + name
			spec := n.create(id, limited)
			n.waitState(id, status.StateRunning)
			before := n.inspect(id)
			if err := disturb(filepath.Join(n.data.Path(id), "entrypoint.sh")); err != nil {
				t.Fatal(err)
			}
			pollUntil(t, "restored", func() bool { return n.data.EntrypointOK(spec.Spec) })
			if after := n.inspect(id); !sameRun(before, after) {
				t.Errorf("restarted for a file: %+v", after)
			}
		})
	}
}

// TestForeignContainerWithOurNameOnARealEngine: it is reported at once, and not touched.
func TestForeignContainerWithOurNameOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker := harness.Docker(t)
	foreign, err := docker.ContainerCreate(t.Context(), &container.Config{Image: harness.Busybox(), Cmd: []string{"sleep", "1000"}},
		nil, nil, nil, observed.RunName("name-taken"))
	if err != nil {
		t.Fatal(err)
	}
	defer docker.ContainerRemove(context.Background(), foreign.ID, container.RemoveOptions{Force: true})
	n.create("name-taken", nil)
	st := n.wait("name-taken", "held up by a name", func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonNameTaken
	})
	if !strings.Contains(st.Get(status.Synced).Message, foreign.ID[:12]) {
		t.Errorf("message %q", st.Get(status.Synced).Message)
	}
	n.change("name-taken", func(c *desired.Container) { c.Deleting = true })
	n.gone("name-taken")
	if _, err := docker.ContainerInspect(t.Context(), foreign.ID); err != nil {
		t.Errorf("the foreign container: %v", err)
	}
}

// TestForeignContainerTakesOurNameOnARealEngine from a container that runs: ours keeps running under
// its other name, it is reported who has the name, and it gets the name back when that is free.
func TestForeignContainerTakesOurNameOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker := harness.Docker(t)
	n.create("renamed-ours", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	before := n.waitState("renamed-ours", status.StateRunning)
	// In the moment between, the daemon may be faster and have the name back already.
	pollUntil(t, "the name taken", func() bool {
		if err := docker.ContainerRename(t.Context(), before.ContainerID, "lightd-renamed-before"); err != nil {
			t.Fatal(err)
		}
		_, err := docker.ContainerCreate(t.Context(), &container.Config{Image: harness.Busybox(), Cmd: []string{"sleep", "1000"}},
			nil, nil, nil, observed.RunName("renamed-ours"))
		return err == nil
	})
	defer docker.ContainerRemove(context.Background(), observed.RunName("renamed-ours"), container.RemoveOptions{Force: true})
	n.wait("renamed-ours", "without its name", func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonNameTaken
	})
	ours, _, err := n.engine.Inspect(t.Context(), before.ContainerID)
	if err != nil || !ours.Running() || !ours.StartedAt.Equal(before.Run.StartedAt) {
		t.Errorf("ours is %+v, %v", ours, err)
	}
	if err := docker.ContainerRemove(t.Context(), observed.RunName("renamed-ours"), container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	n.wait("renamed-ours", "under its name again", func(st status.Status) bool {
		now, _, err := n.engine.Inspect(t.Context(), observed.RunName("renamed-ours"))
		return err == nil && now.ContainerID == before.ContainerID && st.Get(status.Synced).Status == status.True
	})
}
