package backup

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUnfinishedRestore: what one that was killed has left is removed by the next, and no daemon starts on it meanwhile.
func TestUnfinishedRestore(t *testing.T) {
	s := node(t, false)
	dir := filepath.Join(t.TempDir(), "restored")
	for _, path := range []string{"token", "volumes/v1/half", ".restoring/db/MANIFEST", ".restoring/containers/web/install.log"} {
		at := filepath.Join(dir, path)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(t, os.WriteFile(at, []byte("secret"), 0o600))
	}
	if err := CheckFinished(dir); !errors.Is(err, ErrUnfinished) {
		t.Errorf("a daemon may start on it: %v", err)
	}
	_, err := Restore(bytes.NewReader(written(t, s)), dir, Options{}, quiet)
	must(t, err)
	if got, want := listing(t, dir), kept(t, s.DataDir, false); !slices.Equal(got, want) {
		t.Errorf("restored is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	must(t, CheckFinished(dir))
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", info, err)
	}
	must(t, CheckFinished(filepath.Join(dir, "missing")))
}

// TestRestoreUnderWay is left alone by another one, and a link in its place is not followed.
func TestRestoreUnderWay(t *testing.T) {
	whole := written(t, node(t, false))
	dir := filepath.Join(t.TempDir(), "restored")
	at, err := openPlace(dir)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(at.made, "token"), nil, 0o600))
	if _, err := Restore(bytes.NewReader(whole), dir, Options{}, quiet); err == nil || !strings.Contains(err.Error(), "another restore to it is under way") {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(at.made, "token")); err != nil {
		t.Error(err)
	}
	must(t, at.close(true))
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what has failed left %v", err)
	}
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "file"), nil, 0o600))
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.Symlink(outside, filepath.Join(dir, unfinishedName)))
	if _, err := Restore(bytes.NewReader(whole), dir, Options{}, quiet); err == nil {
		t.Error("a link was followed")
	}
	if _, err := os.Stat(filepath.Join(outside, "file")); err != nil {
		t.Error(err)
	}
}

// TestRestoreToADisk: the directory may be where a file system is mounted, with what that has of itself.
func TestRestoreToADisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	s := node(t, true)
	whole := written(t, s)
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	must(t, os.Mkdir(filepath.Join(dir, lostFound), 0o700))
	if _, err := Restore(bytes.NewReader(whole[:len(whole)/2]), dir, Options{}, quiet); err == nil {
		t.Error("half of it was restored")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("after half of it there are %v, %v", entries, err)
	}
	_, err := Restore(bytes.NewReader(whole), dir, Options{}, quiet)
	must(t, err)
	got := slices.DeleteFunc(listing(t, dir), func(line string) bool { return strings.HasPrefix(line, lostFound) })
	if want := kept(t, s.DataDir, true); !slices.Equal(got, want) {
		t.Errorf("restored is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
