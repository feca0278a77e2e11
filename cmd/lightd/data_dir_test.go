package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"lightd/cmd/lightd/backup"
)

// TestSetUIDInAVolume: a container has left a set-uid program in a volume of a data directory that an
// earlier version made. No other account of the host can reach it once the daemon has started.
func TestSetUIDInAVolume(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	base := t.TempDir()
	for _, dir := range []string{base, filepath.Dir(base)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(base, "data")
	volume := filepath.Join(data, "volumes", "v")
	if err := os.MkdirAll(volume, 0o711); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(volume, "rootsh")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, os.ModeSetuid|0o755); err != nil {
		t.Fatal(err)
	}
	asNobody := func() error {
		cmd := exec.Command("/bin/sh", "-c", "test -x "+program)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Dir = "/"
		return cmd.Run()
	}
	if err := asNobody(); err != nil {
		t.Fatalf("the attack does not work without the mend: %v", err)
	}
	if err := makeDataDir(config{DataDir: data}); err != nil {
		t.Fatal(err)
	}
	if err := asNobody(); err == nil {
		t.Error("another account reaches a program in a volume")
	}
	for _, c := range []struct {
		gid  int
		mode os.FileMode
	}{{100000, 0o710}, {0, 0o700}} {
		if err := setDataDirGroup(data, c.gid); err != nil {
			t.Fatal(err)
		}
		if err := makeDataDir(config{DataDir: data}); err != nil { // the next start
			t.Fatal(err)
		}
		if info, err := os.Stat(data); err != nil || info.Mode().Perm() != c.mode {
			t.Errorf("group %d: %v, %v", c.gid, info.Mode(), err)
		}
		if err := asNobody(); err == nil {
			t.Error("another account reaches a program in a volume")
		}
	}
}

// TestNoDaemonWhereARestoreWasKilled: what is there is half of a node.
func TestNoDaemonWhereARestoreWasKilled(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".restoring"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := makeDataDir(config{DataDir: dir}); !errors.Is(err, backup.ErrUnfinished) {
		t.Errorf("a daemon starts there: %v", err)
	}
}
