package controller_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/observed/status"
)

// TestFileSystemsOnARealEngine: with read_only the server writes to its volume and its tmpfs alone, and
// the install script writes as ever. Set-uid files and devices are of no use in a tmpfs.
func TestFileSystemsOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	c := n.create("file-systems", func(s *desired.Spec) {
		s.ReadOnly, s.Tmpfs, s.Power = true, map[string]string{"/tmp": "64k", "/var/x": "1m"}, desired.PowerRunning
		s.InstallScript = "echo installed > /installed"
		s.StartupCommand = "cat /installed > log; touch /x || echo read-only >> log; echo tmp > /tmp/x && cat /tmp/x >> log; " +
			"dd if=/dev/zero of=/tmp/large bs=64k count=2 || echo full >> log; " +
			"grep -c ' /\\(tmp\\|var/x\\) tmpfs rw,nosuid,nodev,relatime,size=' /proc/mounts >> log; echo end >> log; exec sleep 100000"
	})
	n.waitState(c.InternalID, status.StateRunning)
	var got string
	pollUntil(t, "the log", func() bool {
		data, err := os.ReadFile(filepath.Join(n.volumes.Path(c.VolumeID), "log"))
		got = strings.Join(strings.Fields(string(data)), " ")
		return err == nil && strings.HasSuffix(got, "end")
	})
	if got != "installed read-only tmp full 2 end" {
		t.Errorf("got %q", got)
	}
	if d := n.drifts(c.InternalID); d != "" {
		t.Errorf("what was just made differs: %s", d)
	}
}
