package desired

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// mountTable finds where a path is within its file system: a bind mount makes two paths of one
// directory, which only the kernel's table shows. A table that cannot be read finds nothing.
type mountTable []*mountinfo.Info

// readMountTable reads the mounts of this process.
func readMountTable() mountTable {
	table, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil
	}
	return table
}

// locate returns where a resolved path is within its file system, as an absolute path that starts
// with the device and lies inside no path of the host; empty where the table does not say.
func (t mountTable) locate(path string) string {
	var at *mountinfo.Info
	for _, m := range t {
		// The last mount on a point hides the others.
		if inside(path, m.Mountpoint) && (at == nil || len(m.Mountpoint) >= len(at.Mountpoint)) {
			at = m
		}
	}
	if at == nil {
		return ""
	}
	below := strings.TrimPrefix(path, strings.TrimSuffix(at.Mountpoint, "/"))
	return filepath.Join(fmt.Sprintf("/\x00%d:%d", at.Major, at.Minor), at.Root, below)
}
