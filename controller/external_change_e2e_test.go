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
	"lightd/observed/status"
)

// TestDisturbancesAreHealedOnARealEngine does to a running container what an operator may do.
func TestDisturbancesAreHealedOnARealEngine(t *testing.T) {
	t.Parallel()
	// Files make no event: what is checked every five minutes is checked every second here.
	n := newNode(t, t.TempDir(), func(o *setup) { o.collect = time.Second })
	n.clean()
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	type seen = observed.Container
	for name, c := range map[string]struct {
		disturb func(ctx context.Context, c seen) error
		healed  func(before, after seen) bool
	}{
		"killed": {
			func(ctx context.Context, c seen) error { return docker.ContainerKill(ctx, c.ContainerID, "KILL") },
			func(a, b seen) bool { return a.ContainerID == b.ContainerID && b.StartedAt.After(a.StartedAt) },
		},
		"stopped": {
			func(ctx context.Context, c seen) error {
				return docker.ContainerStop(ctx, c.ContainerID, container.StopOptions{})
			},
			func(a, b seen) bool { return a.ContainerID == b.ContainerID && b.StartedAt.After(a.StartedAt) },
		},
		"removed": {
			func(ctx context.Context, c seen) error {
				return docker.ContainerRemove(ctx, c.ContainerID, container.RemoveOptions{Force: true})
			},
			func(a, b seen) bool { return a.ContainerID != b.ContainerID },
		},
		"renamed": {
			func(ctx context.Context, c seen) error {
				return docker.ContainerRename(ctx, c.ContainerID, c.Name+"-old")
			},
			func(a, b seen) bool { return a.ContainerID == b.ContainerID && a.StartedAt.Equal(b.StartedAt) },
		},
		"updated": {
			func(ctx context.Context, c seen) error {
				_, err := docker.ContainerUpdate(ctx, c.ContainerID, container.UpdateConfig{
					Resources: container.Resources{Memory: 32 << 20, MemorySwap: 32 << 20, NanoCPUs: 1e8},
				})
				return err
			},
			func(a, b seen) bool { return a.Limits == b.Limits && a.StartedAt.Equal(b.StartedAt) },
		},
		"disconnected": {
			func(ctx context.Context, c seen) error {
				return docker.NetworkDisconnect(ctx, "bridge", c.ContainerID, true)
			},
			func(a, b seen) bool { return a.ContainerID != b.ContainerID && len(b.Networks) == 1 },
		},
		"entrypoint altered": {
			func(_ context.Context, c seen) error {
				id := strings.TrimPrefix(c.Name, "lightd-")
				return os.WriteFile(filepath.Join(n.data.Path(id), "entrypoint.sh"), []byte("exit 1"), 0o755)
			},
			nil,
		},
		"entrypoint removed": {
			func(_ context.Context, c seen) error {
				return os.Remove(filepath.Join(n.data.Path(strings.TrimPrefix(c.Name, "lightd-")), "entrypoint.sh"))
			},
			nil,
		},
		"network removed": {
			func(ctx context.Context, c seen) error {
				if err := docker.NetworkRemove(ctx, "bridge"); err == nil {
					return errors.New("the engine has removed its own network")
				}
				return nil
			},
			func(a, b seen) bool {
				return a.ContainerID == b.ContainerID && a.StartedAt.Equal(b.StartedAt) && len(b.Networks) == 1
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "-")
			spec := n.create(id, func(s *desired.Spec) {
				s.Power, s.StartPattern = desired.PowerRunning, "tick"
				s.Limits.Memory, s.Limits.CPU = 64<<20, 0.5
			})
			n.waitState(id, status.StateRunning)
			before, began := n.inspect(id), time.Now()
			defer func() { t.Logf("healed after %s", time.Since(began).Round(time.Millisecond)) }()
			if err := c.disturb(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			if c.healed == nil {
				pollUntil(t, "fixed", func() bool { return n.data.EntrypointOK(spec.Spec) })
				if after := n.inspect(id); !after.StartedAt.Equal(before.StartedAt) {
					t.Errorf("restarted for a file: %+v", after)
				}
				return
			}
			n.wait(id, "healed", func(st status.Status) bool {
				after, _, err := n.engine.Inspect(t.Context(), observed.RunName(id))
				return err == nil && c.healed(before, after) && st.State == status.StateRunning &&
					st.Get(status.Synced).Status == status.True
			})
		})
	}
}

// TestForeignContainerWithOurNameOnARealEngine: it is reported at once, and not touched.
func TestForeignContainerWithOurNameOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	foreign, err := docker.ContainerCreate(t.Context(), &container.Config{Image: harness.Busybox(), Cmd: []string{"sleep", "1000"}},
		nil, nil, nil, observed.RunName("foreign"))
	if err != nil {
		t.Fatal(err)
	}
	defer docker.ContainerRemove(context.Background(), foreign.ID, container.RemoveOptions{Force: true})
	n.create("foreign", nil)
	st := n.wait("foreign", "held up by a name", func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonNameTaken
	})
	if !strings.Contains(st.Get(status.Synced).Message, foreign.ID[:12]) {
		t.Errorf("message %q", st.Get(status.Synced).Message)
	}
	n.change("foreign", func(c *desired.Container) { c.Deleting = true })
	n.gone("foreign")
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
	docker := newDocker(t)
	n.create("robbed", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	before := n.waitState("robbed", status.StateRunning)
	// In the moment between, the daemon may be faster and have the name back already.
	pollUntil(t, "the name taken", func() bool {
		if err := docker.ContainerRename(t.Context(), before.ContainerID, "lightd-robbed-before"); err != nil {
			t.Fatal(err)
		}
		_, err := docker.ContainerCreate(t.Context(), &container.Config{Image: harness.Busybox(), Cmd: []string{"sleep", "1000"}},
			nil, nil, nil, observed.RunName("robbed"))
		return err == nil
	})
	defer docker.ContainerRemove(context.Background(), observed.RunName("robbed"), container.RemoveOptions{Force: true})
	n.wait("robbed", "robbed of its name", func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonNameTaken
	})
	ours, _, err := n.engine.Inspect(t.Context(), before.ContainerID)
	if err != nil || !ours.Running() || !ours.StartedAt.Equal(before.Run.StartedAt) {
		t.Errorf("ours is %+v, %v", ours, err)
	}
	if err := docker.ContainerRemove(t.Context(), observed.RunName("robbed"), container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	n.wait("robbed", "under its name again", func(st status.Status) bool {
		now, _, err := n.engine.Inspect(t.Context(), observed.RunName("robbed"))
		return err == nil && now.ContainerID == before.ContainerID && st.Get(status.Synced).Status == status.True
	})
}
