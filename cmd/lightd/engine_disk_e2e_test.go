package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/smalldisk"
)

// TestInstallationFillsTheEnginesDisk is ended, and none beside it that has written less.
func TestInstallationFillsTheEnginesDisk(t *testing.T) {
	t.Parallel()
	disk := smalldisk.Ext4(t, 768)
	e := newOwnEngineOn(t, disk, "")
	n := newNode(t, "--docker-host", "unix://"+e.socket)
	volume, path := n.volume()
	n.send("POST", "/containers", spec("little", volume,
		`"install_script":"dd if=/dev/zero of=/tool bs=1M count=16; touch wrote; until [ -e go ]; do sleep 0.1; done"`)).want(201, "")
	poll(t, func() error { _, err := os.Stat(filepath.Join(path, "wrote")); return err })
	other, _ := n.volume()
	n.send("POST", "/containers", spec("much", other,
		`"install_script":"n=0; while :; do n=$((n+1)); dd if=/dev/zero of=/junk$n bs=1M count=32; sleep 1; done"`)).want(201, "")
	n.until("much", "ended", func(c view) bool { return c.InstallState == "failed" })
	if text := n.send("GET", "/containers/much", "").text; !strings.Contains(text, "InstallScriptFailed") ||
		!strings.Contains(text, "MiB are free on the engine's disk at "+disk) {
		t.Error(text)
	}
	if err := os.WriteFile(filepath.Join(path, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.until("little", "ready", installed)
}
