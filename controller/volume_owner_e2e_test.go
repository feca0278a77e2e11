package controller_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"lightd/desired"
	"lightd/observed/status"
)

// TestUserOwnsItsVolumeOnARealEngine: a program writes into what was root's when it starts as another user,
// and again when the user changes. What a link in the volume leads to stays root's, as does what was
// put there while the volume is its user's, and a volume that a container with another user has too.
func TestUserOwnsItsVolumeOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	outside := filepath.Join(t.TempDir(), "secret")
	c := n.create("owner", func(s *desired.Spec) {
		s.User = "1000:1000"
		s.StartupCommand = "echo $(id -u) >> world/level && touch new; exec sleep 100000"
	})
	n.waitSynced(c)
	at := func(name string) string { return filepath.Join(n.volumes.Path(c.VolumeID), name) }
	n.must(errors.Join(os.WriteFile(outside, nil, 0o600), os.Mkdir(at("world"), 0o755), os.WriteFile(at("world/level"), nil, 0o600),
		os.Symlink(outside, at("world/link")), os.Symlink(filepath.Dir(outside), at("world/dir"))))
	owner := func(path string) uint32 {
		info, err := os.Lstat(path)
		n.must(err)
		return info.Sys().(*syscall.Stat_t).Uid
	}
	written := func(want string) {
		t.Helper()
		pollUntil(t, "written "+want, func() bool {
			data, err := os.ReadFile(at("world/level"))
			return err == nil && string(data) == want
		})
	}
	n.change("owner", func(c *desired.Container) { c.Power = desired.PowerRunning })
	written("1000\n")
	n.must(os.WriteFile(at("uploaded"), nil, 0o600))
	id := n.inspect("owner").ContainerID
	n.change("owner", func(c *desired.Container) { c.Requests.Restart++ })
	written("1000\n1000\n")
	if n.inspect("owner").ContainerID != id || owner(at("uploaded")) != 0 {
		t.Errorf("another start has given a file to %d", owner(at("uploaded")))
	}
	n.change("owner", func(c *desired.Container) { c.User = "2000" })
	written("1000\n1000\n2000\n")
	if owner(at("uploaded")) != 2000 || owner(outside) != 0 || owner(filepath.Dir(outside)) != 0 || owner(at("world/link")) != 2000 {
		t.Errorf("uploaded %d, outside %d", owner(at("uploaded")), owner(outside))
	}
	shared := n.create("owner-too", func(s *desired.Spec) {
		s.VolumeID, s.User, s.Power = c.VolumeID, "3000", desired.PowerRunning
	})
	n.waitState(shared.InternalID, status.StateRunning)
	if owner(at("")) != 2000 {
		t.Errorf("a shared volume went to %d", owner(at("")))
	}
}
