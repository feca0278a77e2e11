package controller_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/status"
)

// imageWithVolume commits an image that has a file below the path of a VOLUME.
func imageWithVolume(t *testing.T, n *node, image string) {
	t.Helper()
	docker := harness.Docker(t)
	base, err := docker.ContainerCreate(t.Context(), &container.Config{Image: harness.Busybox(),
		Cmd: []string{"sh", "-c", "mkdir -p /var/game; echo seed > /var/game/seed; chown -R 1000:1000 /var/game; chmod 750 /var/game"}}, nil, nil, nil, "")
	if err == nil {
		err = docker.ContainerStart(t.Context(), base.ID, container.StartOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	ended, failed := docker.ContainerWait(t.Context(), base.ID, container.WaitConditionNotRunning)
	select {
	case <-ended:
	case err := <-failed:
		t.Fatal(err)
	}
	_, err = docker.ContainerCommit(t.Context(), base.ID, container.CommitOptions{Reference: image, Changes: []string{"VOLUME /var/game"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.engine.Remove(t.Context(), base.ID)
		_ = n.engine.RemoveImage(t.Context(), image)
	})
}

// checkImageVolume compares the files of the only image volume below at.
func checkImageVolume(t *testing.T, at, when string, contents map[string]string) {
	t.Helper()
	dirs, err := os.ReadDir(at)
	if err != nil || len(dirs) != 1 {
		t.Fatalf("%s: directories %v, %v", when, dirs, err)
	}
	dir := filepath.Join(at, dirs[0].Name())
	for name, content := range contents {
		pollUntil(t, when+": "+name, func() bool {
			got, err := os.ReadFile(filepath.Join(dir, name))
			return err == nil && string(got) == content
		})
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("%s: mode %v, %v", when, info.Mode(), err)
	}
}

// TestBelowAVolumeOfTheImageOnARealEngine: what the image has there, what the script writes and
// what the program writes outlive recreations, prunes of volumes and a reinstall, and go with
// the container.
func TestBelowAVolumeOfTheImageOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	const image = "lightd-test/with-a-volume:1"
	imageWithVolume(t, n, image)
	n.create("game", func(s *desired.Spec) {
		s.Image, s.Power, s.InstallScript = image, desired.PowerRunning, "echo installed >> /var/game/installed"
		s.StartupCommand = "echo started >> /var/game/starts; exec sleep 1000"
	})
	before := n.waitState("game", status.StateRunning)
	at := n.data.ImageVolumes("game")
	want := func(when string, contents map[string]string) { t.Helper(); checkImageVolume(t, at, when, contents) }
	want("at first", map[string]string{"seed": "seed\n", "installed": "installed\n", "starts": "started\n"})
	for _, field := range n.inspect("game").Mounts {
		if field.Target == "/var/game" && !strings.HasPrefix(field.Source, "lightd-"+n.store.Instance()+"-game-") {
			t.Errorf("it is volume %s", field.Source)
		}
	}

	n.change("game", func(c *desired.Container) { c.Env = map[string]string{"A": "b"} })
	n.wait("game", "recreated", func(st status.Status) bool {
		return st.ContainerID != before.ContainerID && st.State == status.StateRunning
	})
	want("after a recreation", map[string]string{"seed": "seed\n", "installed": "installed\n", "starts": "started\nstarted\n"})

	n.waitSynced(n.change("game", requestStop))
	n.change("game", func(c *desired.Container) { c.Paused = true }) // else it is made again at once
	if err := n.engine.Remove(t.Context(), n.inspect("game").ContainerID); err != nil {
		t.Fatal(err)
	}
	volumes, err := n.engine.Volumes(t.Context())
	if err != nil || len(volumes) != 1 {
		t.Fatalf("volumes %v, %v", volumes, err)
	}
	if err := n.engine.RemoveVolume(t.Context(), volumes[0].Name); err != nil { // as `docker volume prune` does
		t.Fatal(err)
	}
	n.change("game", func(c *desired.Container) { c.Power, c.Paused = desired.PowerRunning, false; c.Requests.Install++ })
	n.wait("game", "installed again", func(st status.Status) bool { return st.Install.Request == 2 && st.State == status.StateRunning })
	want("after a prune and a reinstall", map[string]string{"seed": "seed\n", "installed": "installed\ninstalled\n", "starts": "started\nstarted\nstarted\n"})

	n.change("game", requestDelete)
	n.gone("game")
	n.controller.TriggerGC()
	pollUntil(t, "no volume left", func() bool {
		left, err := n.engine.Volumes(t.Context())
		return err == nil && len(left) == 0
	})
	if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its directory stayed: %v", err)
	}
}
