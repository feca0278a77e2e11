package projectquota

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestLayout: what the kernel reads and writes has its layout.
func TestLayout(t *testing.T) {
	if q, a, s := unsafe.Sizeof(quota{}), unsafe.Sizeof(attributes{}), unsafe.Sizeof(state{}); q != 72 || a != 28 || s < 160 {
		t.Errorf("if_dqblk has %d bytes, fsxattr %d, fs_quota_statv %d", q, a, s)
	}
}

// TestUnavailable: why a file system has no project quotas is a clause, and nothing of it is changed.
func TestUnavailable(t *testing.T) {
	for path, want := range map[string]string{"/proc": "neither ext4 nor xfs", t.TempDir(): ""} {
		f, err := Open(path)
		var unavailable *Unavailable
		if err == nil && want == "" { // this machine has them
			err = errors.Join(f.Close(), &Unavailable{})
		}
		if !errors.As(err, &unavailable) || !strings.Contains(unavailable.Reason, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Open("/nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := (*FileSystem)(nil).Close(); err != nil {
		t.Error(err)
	}
}

// TestMarkAtLeavesOthersAlone: what is no file, has gone, or is another one by now is not opened.
func TestMarkAtLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(syscall.Mkfifo(at("fifo"), 0o600), os.Symlink("/etc/passwd", at("link")), os.WriteFile(at("file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	top, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	var file unix.Stat_t
	if err := unix.Stat(at("file"), &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fifo", "link", "gone"} { // in the place of the file
		if changed, err := MarkAt(int(top.Fd()), name, &file, First); changed || err != nil {
			t.Errorf("%s: %t, %v", name, changed, err)
		}
	}
	fifo := file
	fifo.Mode = unix.S_IFIFO
	if changed, err := MarkAt(int(top.Fd()), "fifo", &fifo, First); changed || err != nil {
		t.Errorf("a fifo: %t, %v", changed, err)
	}
}
