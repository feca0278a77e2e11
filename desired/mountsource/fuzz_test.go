package mountsource

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
)

// FuzzMountTable: a place of a file system is inside no path of the host, whatever the table has.
func FuzzMountTable(f *testing.F) {
	f.Add("24 22 0:22 / / rw - ext4 /dev/sda rw\n", "/srv/a")
	f.Add("24 22 0:22 /../x /srv rw - ext4 /dev/sda rw\n", "/srv/../a")
	f.Add("24 22 0:22 / /srv\\040a rw shared:1 - ext4 none rw\n", "/srv a/b")
	f.Add("24 22 0:22 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/a")
	f.Add("  : ../ /  -   ", "0")
	f.Add("x", "")
	f.Fuzz(func(t *testing.T, text, path string) {
		mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(text), nil)
		if err != nil {
			return
		}
		if at := table(mounts).locate(filepath.Clean("/" + path)); at != "" && !strings.HasPrefix(at, "/\x00") {
			t.Errorf("%q with %q is at %q", path, text, at)
		}
	})
}
