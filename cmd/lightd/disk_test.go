package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nowhere is an engine that is not there.
const nowhere = "unix:///nonexistent/docker.sock"

// TestDiskOfTheDataDirectoryIsFull: what is asked for is refused, what is there is shown, and
// a daemon that is started says what it waits for. With room again all is as it was.
func TestDiskOfTheDataDirectoryIsFull(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		if os.Getenv("CI") == "" && errors.Is(err, syscall.EPERM) {
			t.Skip("left out: to fill a disk of its own it must be root:", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	n := &node{t: t, dir: filepath.Join(disk, "data")}
	n.start("--docker-host", nowhere)
	volume, _ := n.volume()
	n.send("POST", "/containers", spec("before", volume, "")).want(201, "")

	others := filepath.Join(disk, "others")
	f := must[*os.File](t)(os.Create(others))
	defer func() { _ = f.Close() }()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, 120<<20); err != nil {
		t.Fatal(err)
	}
	n.send("POST", "/containers", spec("after", volume, "")).want(507, `"code":"disk_full"`)
	n.send("POST", "/containers/before/start", "").want(507, `"code":"disk_full"`)
	n.send("POST", "/volumes", "").want(507, `"code":"disk_full"`)
	n.send("GET", "/containers/before", "").want(200, `"power":"stopped"`)
	n.send("GET", "/healthz", "").want(200, "")
	n.crash()
	stdout, stderr, code := call(t, nil, "serve", "--data-dir", n.dir, "--listen", "127.0.0.1:0", "--docker-host", nowhere)
	if code != 1 || stdout != "" || !strings.Contains(stderr, "Disk is full") || !strings.Contains(stderr, "64 MiB") {
		t.Errorf("exit code %d, and it said %q and %q", code, stdout, stderr)
	}

	if err := os.Remove(others); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	n.start("--docker-host", nowhere)
	n.send("GET", "/containers", "").want(200, `"before"`)
	n.send("POST", "/containers/before/start", "").want(200, "")
	n.send("POST", "/containers", spec("after", volume, "")).want(201, "")
	n.terminate()
}

// TestDamagedDatabaseIsRefused with what an operator needs to know, and with nothing else
// touched.
func TestDamagedDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	n := &node{t: t, dir: t.TempDir()}
	n.start("--docker-host", nowhere)
	volume, path := n.volume()
	n.send("POST", "/containers", spec("kept", volume, "")).want(201, "")
	n.terminate()
	manifest := filepath.Join(n.dir, "db", "MANIFEST")
	if err := os.Rename(manifest, manifest+".away"); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := call(t, nil, "serve", "--data-dir", n.dir, "--listen", "127.0.0.1:0", "--docker-host", nowhere)
	for _, word := range []string{filepath.Join(n.dir, "db"), "MANIFEST is missing", "Restore", "README"} {
		if code != 1 || !strings.Contains(stderr, word) {
			t.Errorf("exit code %d, and it said %q, not %q", code, stderr, word)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the volume: %v", err)
	}
	if err := os.Rename(manifest+".away", manifest); err != nil {
		t.Fatal(err)
	}
	n.start("--docker-host", nowhere) // it was found again
	n.send("GET", "/containers/kept", "").want(200, "")
	n.terminate()
}
