package smalldisk

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Projects mounts a file system of a kind, ext4 or xfs, that enforces project quotas, from a file, and returns its
// directory. The error says why this kernel cannot.
func Projects(t testing.TB, kind string) (dir string, err error) {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 320<<20)); err != nil {
		t.Fatal(err)
	}
	format := map[string][]string{
		"ext4": {"mkfs.ext4", "-q", "-m", "0", "-O", "quota,project", "-E", "quotatype=prjquota", image},
		"xfs":  {"mkfs.xfs", "-q", image},
	}[kind]
	if out, err := exec.Command(format[0], format[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", format, err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop,prjquota", image, dir).CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir, nil
}
