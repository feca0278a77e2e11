package controller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/status"
)

// imageWith makes an image of a configuration, which no Dockerfile need be able to express.
func imageWith(t *testing.T, n *node, ref string, config container.Config) {
	t.Helper()
	docker := harness.Docker(t)
	base, err := docker.ContainerCreate(t.Context(), &container.Config{Image: harness.Busybox(), Cmd: []string{"true"}}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = docker.ContainerCommit(t.Context(), base.ID, container.CommitOptions{Reference: ref, Config: &config}); err != nil {
		t.Fatal(err)
	}
	if err := n.engine.Remove(t.Context(), base.ID); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = docker.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true}) })
}

// TestImageAddsNoInstructionOnARealEngine: the configuration of an image is whatever its maker wrote.
// A line break in its USER adds nothing to what is kept of an installation.
func TestImageAddsNoInstructionOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	for i, user := range []string{"0:0\nENV INJECTED=1", "0\rENTRYPOINT sh", "0\u2028LABEL x=y", "$PATH", "-R", "0 0"} {
		ref := fmt.Sprint("lightd-test/line-break:", i)
		imageWith(t, n, ref, container.Config{User: user, Env: []string{"PATH=/bin", "A=1\nENV INJECTED=1"}, WorkingDir: "/x\nENV INJECTED=1", Labels: map[string]string{"l": "\nENV INJECTED=1"}})
		n.images.Refresh(ref)
		id := fmt.Sprint("line-break-", i)
		n.create(id, func(s *desired.Spec) { s.Image, s.InstallScript = ref, "echo kept > /kept" })
		st := n.wait(id, "refused", func(st status.Status) bool { return st.Get(status.Installed).Reason == status.ReasonImageUnsuitable })
		if text := st.Get(status.Installed).Message; !strings.Contains(text, "USER") || strings.ContainsAny(text, "\r\n\u2028") {
			t.Errorf("%q: the condition says %q", user, text)
		}
		if tagged, err := n.engine.Images(t.Context()); err != nil || len(tagged) > 0 {
			t.Errorf("%q: kept %v, %v", user, tagged, err)
		}
	}
	// The same line breaks elsewhere stay where they are.
	const ref = "lightd-test/line-break:kept"
	imageWith(t, n, ref, container.Config{User: "0:0", Env: []string{"PATH=/bin", "A=1\nENV INJECTED=1"}, Labels: map[string]string{"l": "\nENV INJECTED=1"}})
	n.images.Refresh(ref)
	n.create("line-break-kept", func(s *desired.Spec) { s.Image, s.InstallScript = ref, "echo kept > /kept" })
	st := n.wait("line-break-kept", "installed", func(st status.Status) bool { return st.Install.Phase == status.InstallDone })
	kept, err := n.engine.Image(t.Context(), st.Install.Snapshot)
	if err != nil || kept.User != "0:0" || !slices.Contains(kept.Env, "A=1\nENV INJECTED=1") ||
		slices.ContainsFunc(kept.Env, func(one string) bool { return strings.HasPrefix(one, "INJECTED") }) {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

// TestHealthcheckOfAnImageOnARealEngine: the engine runs no probe of an image.
func TestHealthcheckOfAnImageOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	const ref = "lightd-test/healthcheck:1"
	imageWith(t, n, ref, container.Config{Healthcheck: &container.HealthConfig{
		Test: []string{"CMD-SHELL", "touch /home/container/probed"}, Interval: time.Second, Timeout: time.Second,
	}})
	n.create("probed", func(s *desired.Spec) {
		s.Image, s.Power, s.InstallScript = ref, desired.PowerRunning, "echo kept > /kept"
	})
	n.waitState("probed", status.StateRunning)
	found, err := harness.Docker(t).ContainerInspect(t.Context(), observed.RunName("probed"))
	if err != nil || found.State.Health != nil && found.State.Health.Status != "none" {
		t.Errorf("the engine probes it: %+v, %v", found.State.Health, err)
	}
	if d := n.drifts("probed"); d != "" {
		t.Errorf("what was just made differs: %s", d)
	}
}
