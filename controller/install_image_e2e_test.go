package controller_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/status"
)

// withUser makes an image with a user that no other one has, as whom its programs run.
func withUser(t *testing.T, n *node, image string) {
	t.Helper()
	docker := harness.Docker(t)
	base, err := docker.ContainerCreate(t.Context(), &container.Config{Image: harness.Busybox(),
		Cmd: []string{"sh", "-c", "echo steam:x:4321:4322::/:/bin/sh > /etc/passwd; touch /done; sleep 1000"}}, nil, nil, nil, "")
	if err == nil {
		err = docker.ContainerStart(t.Context(), base.ID, container.StartOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	pollUntil(t, "a user", func() bool {
		found, err := n.engine.HasFile(t.Context(), base.ID, "/done")
		return err == nil && found
	})
	_, err = docker.ContainerCommit(t.Context(), base.ID, container.CommitOptions{Reference: image, Changes: []string{"USER steam"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.engine.Remove(t.Context(), base.ID)
		_ = n.engine.RemoveImage(t.Context(), image)
	})
}

// TestInstallerOfAnotherImageOnARealEngine fills the volume where panels have it, with the environment of both, and
// leaves nothing else; the server runs from its own image, and is given the files, by a name that only that
// image has.
func TestInstallerOfAnotherImageOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	const image = "lightd-test/with-a-user:2"
	withUser(t, n, image)
	install := desired.Install{Image: harness.Debian(), Entrypoint: "bash", Mount: "/mnt/server", Env: map[string]string{"WHO": "installer"},
		Script: `[[ $PWD = /mnt/server && $BASH_VERSION ]] || exit 9
umask 077; mkdir -p game/maps; echo "$WHO $SERVER $(id -u)" >> game/log; echo tool > /usr/tool`}
	c := n.create("other-image", func(s *desired.Spec) {
		s.Image, s.Install, s.Power = image, &install, desired.PowerRunning
		s.Env = map[string]string{"WHO": "server", "SERVER": "both"}
		s.StartupCommand = "echo started >> game/log && touch game/maps/$(date +%s%N); [ ! -e /usr/tool ] || echo kept >> game/log; exec sleep 1000"
	})
	st := n.waitState("other-image", status.StateRunning)
	volume := n.volumes.Path(c.VolumeID)
	logged := func(want string) {
		t.Helper()
		pollUntil(t, "the log to read "+want, func() bool {
			text, err := os.ReadFile(filepath.Join(volume, "game", "log"))
			return err == nil && string(text) == want
		})
	}
	logged("installer both 0\nstarted\n")
	if run := n.inspect("other-image"); run.Image != image || st.Install.Snapshot != "" || !st.Install.Separate {
		t.Errorf("runs from %s, installed as %+v", run.Image, st.Install)
	}
	for _, name := range []string{"", "game", "game/log", "game/maps"} {
		info, err := os.Lstat(filepath.Join(volume, name))
		if err != nil {
			t.Fatal(err)
		}
		if is := info.Sys().(*syscall.Stat_t); is.Uid != 4321 || is.Gid != 4322 {
			t.Errorf("%q belongs to %d:%d", name, is.Uid, is.Gid)
		}
	}
	c = n.change("other-image", func(c *desired.Container) { c.Install.Script += "; mkdir game/more; echo more > game/more/log" })
	if got := n.waitSynced(c); got.Install.Request != 1 {
		t.Errorf("a changed script alone has installed: %+v", got.Install)
	}
	n.change("other-image", reinstall)
	n.wait("other-image", "installed again", func(st status.Status) bool { return st.Install.Request == 2 && st.State == status.StateRunning })
	logged("installer both 0\nstarted\ninstaller both 0\nstarted\n")
	pollUntil(t, "the new files to be the server's", func() bool {
		info, err := os.Lstat(filepath.Join(volume, "game", "more", "log"))
		return err == nil && info.Sys().(*syscall.Stat_t).Uid == 4321
	})
}

// TestSettingsOfAnInstallerOnARealEngine: who runs the script, by what, and for how long, and what becomes of one
// whose entrypoint is not there.
func TestSettingsOfAnInstallerOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	for id, c := range map[string]struct {
		install desired.Install
		event   string // of its end
		reads   string
	}{
		"as-ash": {desired.Install{Entrypoint: "ash", Script: "#!/bin/nosuchshell\necho ash $0 > out"}, "InstallScriptComplete: ", "ash /app/data/install.sh\n"},
		"as-user": {desired.Install{User: "1000:1000", Image: harness.Debian(), Mount: "/mnt/server", Script: `echo "$(id -u):$(id -g)" > out; ! touch /usr/tool`},
			"InstallScriptComplete: ", "1000:1000\n"},
		"as-nobody":     {desired.Install{Entrypoint: "nosuchshell", Script: "true"}, "Error: the install script's interpreter nosuchshell is not in the image", ""},
		"as-nobodys":    {desired.Install{Entrypoint: "/bin/nosuchshell", Script: "true"}, "Error: the install script's interpreter /bin/nosuchshell is not in the image", ""},
		"for-long":      {desired.Install{Timeout: desired.Duration(time.Second), Script: "sleep 1000"}, "Error: the install script took longer than 1s", ""},
		"without-image": {desired.Install{Mount: "/mnt/server", Script: "echo here > /mnt/server/out; mkdir -p /opt"}, "InstallScriptComplete: ", "here\n"},
	} {
		spec := n.create(id, func(s *desired.Spec) { s.Install = &c.install })
		st := n.wait(id, "at its end", func(st status.Status) bool { return st.InstallState != status.Installing })
		if got := n.eventTexts(id); !strings.Contains(got, c.event) || st.Install.Snapshot != "" && id != "without-image" {
			t.Errorf("%s: %s, kept as %q", id, got, st.Install.Snapshot)
		}
		if text, _ := os.ReadFile(filepath.Join(n.volumes.Path(spec.VolumeID), "out")); string(text) != c.reads {
			t.Errorf("%s: the script left %q", id, text)
		}
	}
}
