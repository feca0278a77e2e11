package controller_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lightd/desired"
	"lightd/observed/status"
)

// TestServerOwnsWhatItsInstallationLeftOnARealEngine, whether the spec or the image sets the user
// that it runs as: it writes a file and into a directory that the script made as root.
func TestServerOwnsWhatItsInstallationLeftOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	const image = "lightd-test/with-a-user:1"
	withUser(t, n, image)
	for id, set := range map[string]func(*desired.Spec){
		"of-the-spec":     func(s *desired.Spec) { s.User = "1000:1000" },
		"without-a-group": func(s *desired.Spec) { s.User = "1000" },
		"of-the-image":    func(s *desired.Spec) { s.Image = image },
	} {
		c := n.create(id, func(s *desired.Spec) {
			s.InstallScript = "umask 077; mkdir -p game/maps; echo installed > game/log; id -u >> game/log"
			s.StartupCommand = "touch game/maps/new && echo started >> game/log; exec sleep 1000"
			s.Power = desired.PowerRunning
			set(s)
		})
		n.waitState(id, status.StateRunning)
		game := filepath.Join(n.volumes.Path(c.VolumeID), "game")
		pollUntil(t, id+" to write", func() bool {
			text, err := os.ReadFile(filepath.Join(game, "log"))
			_, made := os.Stat(filepath.Join(game, "maps", "new"))
			return err == nil && made == nil && string(text) == "installed\n0\nstarted\n"
		})
	}
}

// TestInstallationLeavesTheFilesOfOthersOnARealEngine alone: those of another container on the
// volume, and those that were there before a reinstallation.
func TestInstallationLeavesTheFilesOfOthersOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	other := n.create("root", func(s *desired.Spec) {
		s.StartupCommand = "umask 077; echo secret > secret; exec sleep 1000"
		s.Power = desired.PowerRunning
	})
	volume := n.volumes.Path(other.VolumeID)
	owner := func(name string) int {
		info, err := os.Lstat(filepath.Join(volume, name))
		if err != nil {
			return -1
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	pollUntil(t, "a file of root", func() bool { return owner("secret") == 0 })
	n.create("user", func(s *desired.Spec) {
		s.VolumeID, s.User = other.VolumeID, "1000:1000"
		s.InstallScript = "mkdir -p game; echo installed > game/$(date +%s%N)"
	})
	n.wait("user", "at its end", func(st status.Status) bool { return st.InstallState != status.Installing })
	for name, want := range map[string]int{"": 0, "secret": 0, "game": 1000} {
		if got := owner(name); got != want {
			t.Errorf("%q belongs to %d, want %d", name, got, want)
		}
	}
}

// TestHowAScriptFailsOnARealEngine: an interpreter that is not in the image is named, what an
// editor puts before the #! does not matter, and a child that was killed for memory is reported
// though the script ended well, and the engine may report the kill after that end.
func TestHowAScriptFailsOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	for id, c := range map[string]struct {
		script, event string
		failed        bool
	}{
		"missing":         {"#!/bin/nosuchshell -e\ntrue\n", "Error: the install script's interpreter /bin/nosuchshell is not in the image", true},
		"missing-by-env":  {"#!/usr/bin/env nosuchshell\ntrue\n", "Error: the install script's interpreter nosuchshell is not in the image", true},
		"other-not-found": {"#!/bin/sh\nnosuchprogram\n", "Error: the install script ended with exit code 127", true},
		"editor":          {"\ufeff\r\n#!/bin/sh -e\r\ntest \"$-\" != \"${-#*e}\"\r\n", "", false},
		"killed": {"#!/bin/sh\nsh -c 'tail /dev/zero' || true\n",
			"InstallScriptComplete: ", false},
	} {
		n.create(id, func(s *desired.Spec) {
			s.InstallScript = c.script
			s.Limits.Memory = 32 << 20
		})
		st := n.wait(id, "at its end", func(st status.Status) bool { return st.InstallState != status.Installing })
		if failed := st.InstallState == status.Failed; failed != c.failed {
			t.Errorf("%s: %s; events %s", id, st.InstallState, n.eventTexts(id))
		}
		if id == "killed" {
			n.wait(id, "with its kill reported", func(st status.Status) bool { return st.Install.OOMReported })
		}
		if got := n.eventTexts(id); !strings.Contains(got, c.event) || id == "killed" && !strings.Contains(got, "OOMKilled: ") {
			t.Errorf("%s: events %s", id, got)
		}
	}
}
