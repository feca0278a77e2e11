package controller_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/status"
)

// force removes an image whoever needs it.
func force(t *testing.T, docker *client.Client, ref string) {
	t.Helper()
	if _, err := docker.ImageRemove(t.Context(), ref, image.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
}

// TestImageIsRemovedOnARealEngine: the container keeps running, and what is needed to recreate
// it is pulled again.
func TestImageIsRemovedOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker := harness.Docker(t)
	// A name of its own, of no registry: the other tests need theirs.
	ref := "127.0.0.1:1/lightd-test/" + n.store.Instance() + ":1"
	if err := docker.ImageTag(t.Context(), harness.Busybox(), ref); err != nil {
		t.Fatal(err)
	}
	n.create("image", func(s *desired.Spec) { s.Image, s.Power = ref, desired.PowerRunning })
	before := n.waitState("image", status.StateRunning)
	force(t, docker, ref)
	pollUntil(t, "the event of it", func() bool { return !n.images.Image(ref).Present })
	n.change("image", func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
	n.wait("image", "waiting for its image", func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonImageUnavailable
	})
	if c := n.inspect("image"); c.ContainerID != before.ContainerID || !c.Running() {
		t.Errorf("the container did not stay: %+v", c)
	}
	if !strings.Contains(n.events("image"), "PullingImage") {
		t.Errorf("it was not pulled: %s", n.events("image"))
	}
	if err := docker.ImageTag(t.Context(), harness.Busybox(), ref); err != nil {
		t.Fatal(err)
	}
	defer force(t, docker, ref)
	n.wait("image", "recreated", func(st status.Status) bool {
		return st.ContainerID != before.ContainerID && st.State == status.StateRunning
	})
}

// keepsImages reports whether Docker keeps the image of a stopped container whose name is
// removed by force, as the image store of containerd does and those before it did not.
func keepsImages(t *testing.T, docker *client.Client) bool {
	t.Helper()
	info, err := docker.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(info.DriverStatus, [2]string{"driver-type", "io.containerd.snapshotter.v1"})
}

// TestSnapshotIsRemovedOnARealEngine: with the container running it gets its name back.
// With the container stopped Docker may remove the image itself, and that is reported.
func TestSnapshotIsRemovedOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	docker := harness.Docker(t)
	c := n.create("snapshot", func(s *desired.Spec) {
		s.Power, s.InstallScript = desired.PowerRunning, "echo ran >> runs; echo tool > /usr/tool"
	})
	before := n.waitState("snapshot", status.StateRunning)
	ref := before.Install.Snapshot
	if ref == "" {
		t.Fatal("there is no snapshot")
	}
	named := func() bool {
		found, err := n.engine.Image(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		return found.Present
	}
	force(t, docker, ref)
	n.wait("snapshot", "named again", func(st status.Status) bool {
		return named() && st.Get(status.Synced).Status == status.True && strings.Contains(n.events("snapshot"), "DriftDetected")
	})

	n.waitSynced(n.change("snapshot", requestStop))
	force(t, docker, ref)
	if keepsImages(t, docker) {
		n.wait("snapshot", "named again", func(status.Status) bool { return named() })
		return
	}
	n.wait("snapshot", "loaded from its copy", func(st status.Status) bool {
		return named() && st.Get(status.Synced).Status == status.True
	})
	pollUntil(t, "the copy to be there", func() bool { return n.stored.Has(ref) })
	if err := n.stored.Remove(ref); err != nil {
		t.Fatal(err)
	}
	n.copies.Retain(func(string) bool { return true })
	force(t, docker, ref)
	n.change("snapshot", requestStart)
	n.waitState("snapshot", status.StateRunning) // the container itself needs it no more
	if err := docker.ContainerRemove(t.Context(), before.ContainerID, container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	n.wait("snapshot", "reported as lost", func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonInstallLost && st.ContainerID == ""
	})
	if got := n.runs(c); got != 1 {
		t.Errorf("the script ran %d times though no reinstall was requested", got)
	}
	n.change("snapshot", func(c *desired.Container) { c.Requests.Install++ })
	n.waitState("snapshot", status.StateRunning)
	if got := n.runs(c); got != 2 {
		t.Errorf("the script ran %d times, the second time by request", got)
	}
}
