package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"lightd/hack/harness"
)

// TestDiskOfTheDataDirectoryIsFull fills it to the last byte under a daemon with a container: a
// container that is killed is started again, what powers off or frees space is done and all else
// refused with a sentence that names the disk, and a start on the full disk succeeds.
func TestDiskOfTheDataDirectoryIsFull(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=400m"); err != nil {
		t.Fatal("to fill a disk of its own it must be root: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	harness.NeedEngine(t)
	n := &node{t: t, dir: filepath.Join(disk, "data")}
	t.Cleanup(n.sweep)
	n.start()
	volume, _ := n.volume()
	spare, _ := n.volume()
	const sleep = `"startup_command":"sleep 100000"`
	n.send("POST", "/containers", spec("e2e-disk", volume, sleep+`,"power":"running"`)).want(201, "")
	n.send("POST", "/containers", spec("e2e-disk-off", volume, sleep)).want(201, "")
	n.until("e2e-disk", "running", running)
	n.send("GET", "/readyz", "").want(200, `"ready"`)

	fill(t, disk)
	n.answers("/readyz", 503, "disk full: 0 MiB are free")
	n.answers("/events?limit=1000", 200, `"DiskFull"`)
	n.send("POST", "/containers", spec("after", volume, "")).want(507, disk)
	n.send("POST", "/containers/e2e-disk-off/start", "").want(507, `"code":"disk_full"`)
	n.send("POST", "/volumes", "").want(507, "64 MiB are needed")
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","port":31999}`).want(507, "")
	n.send("GET", "/containers/e2e-disk", "").want(200, `"type":"DiskFull"`)

	newDocker(t).kill("lightd-e2e-disk")
	n.answers("/containers/e2e-disk", 200, `"restarts":1`)
	n.until("e2e-disk", "running", running)
	n.send("POST", "/containers/e2e-disk/stop?wait=stopped", "").want(200, "")
	n.send("GET", "/containers/e2e-disk", "").want(200, `"state":"offline"`)
	n.send("DELETE", "/containers/e2e-disk", "").want(200, "deleted")
	n.send("DELETE", "/volumes/"+spare, "").want(200, "")
	n.crash()
	n.start()
	n.send("DELETE", "/containers/e2e-disk-off", "").want(200, "deleted")

	if err := os.Remove(filepath.Join(disk, "others")); err != nil {
		t.Fatal(err)
	}
	n.answers("/readyz", 200, `"ready"`)
	n.answers("/events?limit=1000", 200, `"DiskRecovered"`)
	n.send("POST", "/containers", spec("after", volume, sleep)).want(201, "")
	n.send("DELETE", "/containers/after", "").want(200, "")
	n.terminate()
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
