package smalldisk

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// quotaKernel is set where a test runs under the kernel of hack/quota-kernel.
const quotaKernel = "QUOTA_KERNEL_ARGUMENTS"

// OnProjects runs a test on ext4 and on xfs, each with enforced project quotas, as subtests with these names. Where the
// kernel of this machine has none, the subtest runs under one that has, which is another process: what the
// test prints is passed on.
func OnProjects(t *testing.T, test func(t *testing.T, disk, kind string)) {
	var hack string
	if os.Getenv(quotaKernel) == "" { // there is neither a module nor a network under that kernel, and no need for them
		hack = filepath.Join(module(t), "hack")
		if out, err := exec.Command(filepath.Join(hack, "quota-kernel"), "--mkfs").CombinedOutput(); err != nil {
			t.Fatalf("hack/quota-kernel --mkfs: %v: %s", err, out)
		}
	}
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			disk, err := projects(t, kind)
			switch {
			case err == nil:
				if err := errors.Join(os.Chmod(disk, 0o755), os.Chmod(filepath.Dir(disk), 0o755)); err != nil { // to other users too
					t.Fatal(err)
				}
				test(t, disk, kind)
			case hack == "":
				t.Fatalf("the kernel of hack/quota-kernel has no project quotas on %s: %v", kind, err)
			default:
				t.Logf("THIS KERNEL ENFORCES NO PROJECT QUOTAS ON %s; the test runs under that of hack/quota-kernel: %v", kind, err)
				elsewhere(t, filepath.Join(hack, "quota-kernel"))
			}
		})
	}
}

// module returns the directory of the module, in which a test runs. The paths of a compiler with -trimpath do not
// lead there.
func module(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatalf("no go.mod above this test: %v", err)
	return ""
}

// elsewhere runs this very test under another kernel, without the race detector: its memory does not fit there.
func elsewhere(t *testing.T, runner string) {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "lightd-test-") // /tmp is another one there
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "test")
	if out, err := exec.Command("go", "test", "-c", "-tags", "nomsgpack", "-vet=off", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the test: %v: %s", err, out)
	}
	pattern := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	out, err := exec.Command(runner, program, "-test.v", "-test.run", pattern).CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("under hack/quota-kernel: %v", err)
	}
}

// projects mounts a file system of a kind, ext4 or xfs, that enforces project quotas, from a file, and returns its
// directory. The error says why this kernel cannot.
func projects(t testing.TB, kind string) (dir string, err error) {
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
