package controller_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/status"
)

// aptInstall makes a package whose installation does what those of servers do, and installs it. It
// needs no network.
const aptInstall = `#!/bin/sh
set -e
mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin /tmp/p/var/lib/game
printf '#!/bin/sh\nid -u\n' > /tmp/p/usr/bin/game
chmod 755 /tmp/p/usr/bin/game
printf 'Package: game\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' > /tmp/p/DEBIAN/control
cat > /tmp/p/DEBIAN/postinst <<'END'
#!/bin/sh
set -e
adduser --system --group --home /var/lib/game --no-create-home gamer
useradd other
echo other:secret | chpasswd
chown -R gamer:gamer /var/lib/game
chmod 2750 /var/lib/game
su gamer -s /bin/sh -c 'touch /var/lib/game/state'
cp /bin/bash /usr/bin/rootbash
chown root:root /usr/bin/rootbash
chmod 4755 /usr/bin/rootbash
END
chmod 755 /tmp/p/DEBIAN/postinst
dpkg-deb -b /tmp/p /tmp/game.deb
apt-get install -y /tmp/game.deb
stat -c '%U %G %a' /var/lib/game > installed
grep -E '^(NoNewPrivs|CapBnd)' /proc/self/status >> installed
`

// TestIsolationOnARealEngine: what package managers need works in an install script, and in the
// container of the server a set-uid file gives nothing, and root has few capabilities.
func TestIsolationOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	c := n.create("isolated", func(s *desired.Spec) {
		s.Image, s.InstallScript, s.User, s.Power = harness.Debian(), aptInstall, "1000:1000", desired.PowerRunning
		s.StartupCommand = "rootbash -p -c 'id -u; grep -E \"^(NoNewPrivs|CapBnd)\" /proc/self/status' > started; exec sleep 100000"
	})
	n.waitState("isolated", status.StateRunning)
	read := func(name string) (text string) {
		pollUntil(t, name, func() bool {
			data, err := os.ReadFile(filepath.Join(n.volumes.Path(c.VolumeID), name))
			text = strings.Join(strings.Fields(string(data)), " ")
			return err == nil && strings.Contains(text, "NoNewPrivs")
		})
		return text
	}
	// CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, KILL 5, SETGID 6, SETUID 7, NET_BIND_SERVICE 10,
	// and SYS_CHROOT 18, AUDIT_WRITE 29, SETFCAP 31.
	if got := read("installed"); got != "gamer gamer 2750 CapBnd: 00000000a00404fb NoNewPrivs: 1" {
		t.Errorf("the installation had %q", got)
	}
	if got := read("started"); got != "1000 CapBnd: 00000000000004fb NoNewPrivs: 1" {
		t.Errorf("the server had %q", got)
	}
	if d := n.drifts("isolated"); d != "" {
		t.Errorf("what was just made differs: %s", d)
	}
}
