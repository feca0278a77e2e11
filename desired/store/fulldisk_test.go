package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lightd/desired"
)

// smallDisk mounts a file system of so many MiB, and returns its directory. Without the right
// to mount there is no test, but where tests are made sure of.
func smallDisk(t *testing.T, megabytes string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+megabytes+"m"); err != nil {
		if os.Getenv("CI") == "" && errors.Is(err, syscall.EPERM) {
			t.Skip("left out: to fill a disk of its own it must be root:", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// occupy is somebody else who takes all but so many bytes of a disk.
func occupy(t *testing.T, disk string, leave uint64) (release func()) {
	t.Helper()
	path := filepath.Join(disk, "others")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for piece := make([]byte, 64<<10); ; {
		free, err := freeSpace(disk)
		must(t, err)
		if leave > 0 && free <= leave {
			break
		}
		_, err = f.Write(piece)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		must(t, err)
	}
	return func() { must(t, os.Remove(path)) }
}

// TestOthersFillTheDisk fills a real disk under a process that writes: first so far that it
// stops by itself, and goes on when there is room; then to the last byte, which kills it.
func TestOthersFillTheDisk(t *testing.T) {
	disk := smallDisk(t, "160")
	dir := filepath.Join(disk, "db")
	w := startWriter(t, dir)
	w.until("written", 20)
	release := occupy(t, disk, 40<<20)
	w.until("refused", 1)
	release()
	w.until("written", w.written+20)
	w.kill()
	w.end() // before that the database is not free

	w = startWriter(t, dir, blindly+"=1") // as if others had taken the room since it looked
	w.until("written", 20)
	release = occupy(t, disk, 0)
	w.end()
	if w.written < 40 {
		t.Errorf("%d records", w.written)
	}
	t.Logf("%d records; it ended with %v", w.written, w.cmd.ProcessState)
	_, err := Open(dir, Options{})
	if !errors.Is(err, desired.ErrDiskFull) || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("opened on a full disk: %v", err)
	}
	release()
	s := open(t, dir, Options{tune: small})
	if n := countRecords(s); n < w.written || n > w.written+1 {
		t.Errorf("%d records, and %d were acknowledged", n, w.written)
	}
	must(t, holds(s, countRecords(s)))
}
