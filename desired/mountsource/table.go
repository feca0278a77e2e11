package mountsource

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"

	"lightd/desired"
)

// table finds where a path is within its file system: a bind mount makes two paths of one
// directory, which only the kernel's table shows. A table that cannot be read finds nothing.
type table []*mountinfo.Info

// readTable reads the mounts of this process.
func readTable() table {
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil
	}
	return mounts
}

// locate returns where a resolved path is within its file system, as an absolute path that starts
// with the device and lies inside no path of the host; empty where the table has no entry for it.
func (t table) locate(path string) string {
	var at *mountinfo.Info
	for _, m := range t {
		// The last mount on a point hides the others.
		if desired.Inside(path, m.Mountpoint) && (at == nil || len(m.Mountpoint) >= len(at.Mountpoint)) {
			at = m
		}
	}
	if at == nil {
		return ""
	}
	below := strings.TrimPrefix(path, strings.TrimSuffix(at.Mountpoint, "/"))
	// The kernel shows a root outside of the namespace of a cgroup mount as "/..".
	return filepath.Join(fmt.Sprintf("/\x00%d:%d", at.Major, at.Minor), filepath.Join("/", at.Root, below))
}

// places are the locations on the host that decide what a source is: the path as written,
// what it leads to, the links between, and where that is within its file system.
func (t table) places(source string) []string {
	r, _ := follow(source)
	list := append([]string{filepath.Clean(source)}, r.links...)
	if r.path != list[0] {
		list = append(list, r.path)
	}
	if at := t.locate(r.path); at != "" {
		list = append(list, at)
	}
	return list
}
