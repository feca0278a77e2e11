package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nowhere is an engine that is not there.
const nowhere = "unix:///nonexistent/docker.sock"

// TestDiskOfTheDataDirectoryIsFull fills it to the last byte under a daemon with a container: a
// container that is killed is started again, what powers off or frees space is done and all else
// refused with a sentence that names the disk, and a start on the full disk succeeds.
func TestDiskOfTheDataDirectoryIsFull(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=400m"); err != nil {
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
	if os.Getenv("LIGHTD_TEST_NO_ENGINE") == "1" {
		t.Skip("left out: LIGHTD_TEST_NO_ENGINE=1")
	}
	n := &node{t: t, dir: filepath.Join(disk, "data")}
	t.Cleanup(n.sweep)
	n.start()
	volume, _ := n.volume()
	spare, _ := n.volume()
	const sleep = `"startup_command":"sleep 100000"`
	n.send("POST", "/containers", spec("a", volume, sleep+`,"power":"running"`)).want(201, "")
	n.send("POST", "/containers", spec("off", volume, sleep)).want(201, "")
	n.until("a", "running", running)
	n.send("GET", "/readyz", "").want(200, `"ready"`)

	fill(t, disk)
	n.answers("/readyz", 503, "disk full: 0 MiB are free")
	n.answers("/events?limit=1000", 200, `"DiskFull"`)
	n.send("POST", "/containers", spec("after", volume, "")).want(507, disk)
	n.send("POST", "/containers/off/start", "").want(507, `"code":"disk_full"`)
	n.send("POST", "/volumes", "").want(507, "64 MiB are needed")
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","port":31999}`).want(507, "")
	n.send("GET", "/containers/a", "").want(200, `"type":"DiskFull"`)

	newDocker(t).kill("lightd-a")
	n.answers("/containers/a", 200, `"restarts":1`)
	n.until("a", "running", running)
	n.send("POST", "/containers/a/stop?wait=stopped", "").want(200, "")
	n.send("GET", "/containers/a", "").want(200, `"state":"offline"`)
	n.send("DELETE", "/containers/a", "").want(200, "deleted")
	n.send("DELETE", "/volumes/"+spare, "").want(200, "")
	n.crash()
	n.start()
	n.send("DELETE", "/containers/off", "").want(200, "deleted")

	if err := os.Remove(filepath.Join(disk, "others")); err != nil {
		t.Fatal(err)
	}
	n.answers("/readyz", 200, `"ready"`)
	n.answers("/events?limit=1000", 200, `"DiskRecovered"`)
	n.send("POST", "/containers", spec("after", volume, sleep)).want(201, "")
	n.send("DELETE", "/containers/after", "").want(200, "")
	n.terminate()
}

// answers waits until a path is answered so.
func (n *node) answers(path string, status int, text string) {
	n.t.Helper()
	poll(n.t, func() error {
		if a := n.send("GET", path, ""); a.status != status || !strings.Contains(a.text, text) {
			return fmt.Errorf("GET %s: %d %s, want %d with %q", path, a.status, a.text, status, text)
		}
		return nil
	})
}

// fill is somebody else who takes all of a disk.
func fill(t *testing.T, disk string) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "others"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for piece := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(piece)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
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
	for _, word := range []string{filepath.Join(n.dir, "db"), "MANIFEST is missing", "Restore", "lightd docs damage"} {
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
