package controller_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// TestDisturbancesAreHealedOnARealEngine does to a running container what people do.
func TestDisturbancesAreHealedOnARealEngine(t *testing.T) {
	// Networks make no event of the container: a resync finds what was disconnected.
	n := newNode(t, t.TempDir(), func(o *setup) { o.resync = time.Second })
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
		"paused": {
			func(ctx context.Context, c seen) error { return docker.ContainerPause(ctx, c.ContainerID) },
			func(a, b seen) bool { return b.Phase == observed.Running && a.StartedAt.Equal(b.StartedAt) },
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
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "-")
			spec := n.create(id, func(s *desired.Spec) {
				s.Power, s.StartPattern = desired.PowerRunning, "tick"
				s.Limits.Memory, s.Limits.CPU = 64<<20, 0.5
			})
			n.waitState(id, status.StateRunning)
			before := n.inspect(id)
			if err := c.disturb(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			if c.healed == nil {
				// A file makes no event: any look at the key finds it, the resync at the latest.
				n.controller.Enqueue(id)
				n.wait(id, "mended", func(status.Status) bool { return n.data.EntrypointOK(spec.Spec) })
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

// TestStrangerWithOurNameOnARealEngine: it is told at once, and left alone.
func TestStrangerWithOurNameOnARealEngine(t *testing.T) {
	n := newNode(t, t.TempDir())
	n.clean()
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	stranger, err := docker.ContainerCreate(t.Context(), &container.Config{Image: testImage(), Cmd: []string{"sleep", "1000"}},
		nil, nil, nil, observed.RunName("stranger"))
	if err != nil {
		t.Fatal(err)
	}
	defer docker.ContainerRemove(context.Background(), stranger.ID, container.RemoveOptions{Force: true})
	n.create("stranger", nil)
	st := n.wait("stranger", "held up by a name", func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonNameTaken
	})
	if !strings.Contains(st.Get(status.Synced).Message, stranger.ID[:12]) {
		t.Errorf("message %q", st.Get(status.Synced).Message)
	}
	n.change("stranger", func(c *desired.Container) { c.Deleting = true })
	n.gone("stranger")
	if _, err := docker.ContainerInspect(t.Context(), stranger.ID); err != nil {
		t.Errorf("the stranger: %v", err)
	}
}
