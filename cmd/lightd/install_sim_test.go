package main

import (
	"strings"
	"testing"
)

// TestInstallerWithTheVolumeElsewhere: the sources of mounts are pinned before the start of an installer too.
func TestInstallerWithTheVolumeElsewhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := d.file("web.yaml", d.web("web", "install: {script: make install, image: game:2, mount: /mnt/server}\npower: running"))
	d.do("apply", "-f", file, "--wait=running", "--timeout=30s").want(0, "!web: RunningInstallScript", "!web: Running")
	if log := d.do("logs", "--install", "web").out; !strings.Contains(log, "unpacking") {
		t.Errorf("the installer printed %q", log)
	}
}
