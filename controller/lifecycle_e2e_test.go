package controller_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/engine"
	"lightd/observed/status"
)

func TestLifecycleOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	c := n.create("cycle", func(s *desired.Spec) {
		s.InstallScript = "echo installing; echo tool > /usr/tool; echo data > data; echo $GREETING > greeting"
		s.Env = map[string]string{"GREETING": "it's here"}
		s.StartPattern = "tick"
		s.Limits.Memory = 64 << 20
		s.Limits.CPU = 0.5
	})
	n.waitSynced(c)
	if got := n.events("cycle"); got != wholeInstall {
		t.Fatalf("got  %s\nwant %s", got, wholeInstall)
	}
	volume := n.volumes.Path(c.VolumeID)
	for name, want := range map[string]string{"data": "data\n", "greeting": "it's here\n"} {
		if got, err := os.ReadFile(filepath.Join(volume, name)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	log, err := n.data.InstallLog("cycle")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	text := make([]byte, 100)
	if k, _ := log.Read(text); string(text[:k]) != "installing\n" {
		t.Errorf("install log: %q", text[:k])
	}

	n.change("cycle", requestStart)
	n.waitState("cycle", status.StateRunning)
	first := n.inspect("cycle")
	if first.Limits.Memory != 64<<20 || first.Limits.CPU != 0.5 || first.Limits.PIDs != 512 {
		t.Errorf("limits: %+v", first.Limits)
	}

	// Killed outside of Lightd: the same container runs again.
	if err := n.engine.Kill(t.Context(), first.ContainerID, "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	n.wait("cycle", "restarted", func(st status.Status) bool {
		return st.Restarts == 1 && st.State == status.StateRunning
	})
	// Removed outside of Lightd: a new one, and what the script made is in it.
	if err := n.engine.Remove(t.Context(), first.ContainerID); err != nil {
		t.Fatal(err)
	}
	st := n.wait("cycle", "recreated", func(st status.Status) bool {
		return st.ContainerID != first.ContainerID && st.State == status.StateRunning
	})
	if again := n.inspect("cycle"); again.ContainerID != st.ContainerID || !strings.HasSuffix(again.Image, ":cycle.1") {
		t.Errorf("got %+v", again)
	}
	n.change("cycle", func(c *desired.Container) { c.Deleting = true })
	n.gone("cycle")
	if _, _, err := n.engine.Inspect(t.Context(), "lightd-cycle"); engine.Classify(err) != engine.NotFound {
		t.Errorf("still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(volume, "data")); err != nil {
		t.Errorf("volume data: %v", err)
	}
}

func TestFailedScriptIsKeptAndReportedOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	c := n.create("fail", func(s *desired.Spec) { s.InstallScript = "echo no luck; exit 3" })
	st := n.waitSynced(c)
	if st.InstallState != status.Failed || st.Get(status.Installed).Reason != status.ReasonInstallScriptFailed {
		t.Errorf("got %s, %+v", st.InstallState, st.Get(status.Installed))
	}
	if !strings.HasSuffix(n.events("fail"), "RunningInstallScript Error") {
		t.Errorf("events %s", n.events("fail"))
	}
	c = n.change("fail", func(c *desired.Container) { c.InstallScript = "exit 0"; c.Requests.Install++ })
	if st := n.waitSynced(c); st.InstallState != status.Ready {
		t.Errorf("after a reinstall: %s", st.InstallState)
	}
}

func TestStopIsGracefulAndKillIsNot(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	n.create("grace", func(s *desired.Spec) {
		s.StartupCommand = `trap 'sleep 0.2; echo bye > bye; exit 0' TERM; echo up; while :; do sleep 0.1; done`
		s.StartPattern = "^up$"
		s.Power = desired.PowerRunning
	})
	n.waitState("grace", status.StateRunning)
	c := n.change("grace", func(c *desired.Container) { c.Power = desired.PowerStopped })
	st := n.waitSynced(c)
	if st.State != status.StateOffline || st.LastExit == nil || st.LastExit.Code != 0 {
		t.Errorf("got %s, %+v", st.State, st.LastExit)
	}
	bye := filepath.Join(n.volumes.Path(c.VolumeID), "bye")
	if _, err := os.Stat(bye); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(bye); err != nil {
		t.Fatal(err)
	}
	n.change("grace", requestStart)
	n.waitState("grace", status.StateRunning)
	c = n.change("grace", func(c *desired.Container) { c.Power, c.Kill = desired.PowerStopped, true })
	if st := n.waitSynced(c); st.LastExit.Code != 137 || st.LastExit.Signal != "SIGKILL" {
		t.Errorf("got %+v", st.LastExit)
	}
	if _, err := os.Stat(bye); err == nil {
		t.Error("a kill let the program say goodbye")
	}
}

func TestNodeThatComesBackConverges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := newNode(t, dir)
	n.clean()
	for _, id := range []string{"running", "died", "gone"} {
		n.create(id, func(s *desired.Spec) { s.Power, s.StartPattern = desired.PowerRunning, "tick" })
	}
	ids := map[string]string{}
	for _, id := range []string{"running", "died", "gone"} {
		ids[id] = n.waitState(id, status.StateRunning).ContainerID
	}
	before := n.inspect("running").StartedAt
	n.stop()
	e, err := engine.New(engine.Config{Instance: n.store.Instance()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Kill(t.Context(), ids["died"], "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	if err := e.Remove(t.Context(), ids["gone"]); err != nil {
		t.Fatal(err)
	}
	n = newNode(t, dir)
	n.wait("died", "running again", func(st status.Status) bool {
		return st.State == status.StateRunning && st.LastExit != nil && st.Crashes == 0
	})
	n.wait("gone", "recreated", func(st status.Status) bool {
		return st.State == status.StateRunning && st.ContainerID != ids["gone"]
	})
	if after := n.inspect("running").StartedAt; !after.Equal(before) {
		t.Errorf("what ran was restarted: %s, then %s", before, after)
	}
	if strings.Count(n.events("running"), "Running") != 1 {
		t.Errorf("reported again: %s", n.events("running"))
	}
}

// TestPullFromARealRegistry uses the registry that hack/images brings up.
func TestPullFromARealRegistry(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	ref := harness.Registry() + "/lightd-test/busybox:latest"
	remove := func() {
		if err := n.engine.RemoveImage(t.Context(), ref); err != nil && engine.Classify(err) != engine.NotFound {
			t.Fatal(err)
		}
	}
	remove()
	c := n.create("pull", func(s *desired.Spec) { s.Image = ref })
	n.waitSynced(c)
	if want := "Started PullingImage ImagePulled CreatingContainer ContainerCreated SettingUpEntrypoint Ready"; n.events("pull") != want {
		t.Errorf("got  %s\nwant %s", n.events("pull"), want)
	}
	n.change("pull", func(c *desired.Container) { c.Deleting = true })
	n.gone("pull")
	remove()
}

func TestUnavailableImageIsReportedAndTheOldContainerStays(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	n.create("noimage", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	old := n.waitState("noimage", status.StateRunning)
	n.change("noimage", func(c *desired.Container) { c.Image = "127.0.0.1:1/no/such:image" })
	st := n.wait("noimage", "waiting for the image", func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonImageUnavailable
	})
	if seen := n.inspect("noimage"); !seen.Running() || st.ContainerID != old.ContainerID || st.ObservedGeneration == 2 {
		t.Errorf("got %+v", st)
	}
	c := n.change("noimage", func(c *desired.Container) { c.Image = harness.Busybox() })
	n.waitSynced(c)
	if got := n.inspect("noimage"); got.ContainerID != old.ContainerID {
		t.Error("the way back made a new container")
	}
}

// TestBusyPortIsReported: a port that some other program of the host holds.
func TestBusyPortIsReported(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	busy := desired.Endpoint{IP: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Protocol: desired.TCP}
	if err := n.store.AddPorts(t.Context(), []desired.Endpoint{busy}); err != nil {
		t.Fatal(err)
	}
	ports := []desired.Port{{IP: busy.IP, Port: busy.Port}}
	unavailable := func(st status.Status) bool {
		return st.Get(status.Synced).Reason == status.ReasonPortUnavailable
	}
	// At a rebind the old container is not touched.
	n.create("rebind", func(s *desired.Spec) { s.Power = desired.PowerRunning })
	old := n.waitState("rebind", status.StateRunning)
	n.change("rebind", func(c *desired.Container) { c.Ports = ports })
	st := n.wait("rebind", "waiting for the port", unavailable)
	if seen := n.inspect("rebind"); !seen.Running() || seen.ContainerID != old.ContainerID {
		t.Errorf("the old container is %s", seen.Phase)
	}
	if !strings.Contains(st.Get(status.Synced).Message, busy.String()) {
		t.Errorf("message %q", st.Get(status.Synced).Message)
	}
	c := n.change("rebind", func(c *desired.Container) { c.Ports = nil })
	n.waitSynced(c)
	// At the first start it is reported, and does not count as a crash.
	n.create("first", func(s *desired.Spec) { s.Power, s.Ports = desired.PowerRunning, ports })
	if st := n.wait("first", "waiting for the port", unavailable); st.Crashes != 0 || st.Restarts != 0 {
		t.Errorf("got %+v", st)
	}
	listener.Close()
	n.change("first", func(c *desired.Container) { c.Power = desired.PowerStopped })
	n.change("first", requestStart)
	n.waitState("first", status.StateRunning)
}

func TestMovedTagIsFollowed(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	maker := n.waitSynced(n.create("follow-source", nil))
	const ref = "lightd-test/moved:tag" // in lightd/ are installations, which no spec can name
	t.Cleanup(func() { _ = n.engine.RemoveImage(context.Background(), ref) })
	commit := func() {
		if _, err := n.engine.Commit(t.Context(), maker.ContainerID, ref, ""); err != nil {
			t.Fatal(err)
		}
	}
	commit()
	n.create("pinned", func(s *desired.Spec) { s.Image, s.Power = ref, desired.PowerRunning })
	n.create("follow", func(s *desired.Spec) {
		s.Image, s.Power, s.ImagePolicy = ref, desired.PowerRunning, desired.ImageFollow
	})
	pinned := n.waitState("pinned", status.StateRunning)
	follow := n.waitState("follow", status.StateRunning)
	commit()
	n.wait("follow", "recreated from the new image", func(st status.Status) bool {
		return st.ContainerID != follow.ContainerID && st.State == status.StateRunning &&
			st.Get(status.Synced).Status == status.True
	})
	if got := n.inspect("pinned"); got.ContainerID != pinned.ContainerID {
		t.Error("a pinned container followed the tag")
	}
}
