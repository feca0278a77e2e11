package desired

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mountPoint is one file system, or a part of one, as it is mounted on the host.
type mountPoint struct{ device, root, at string }

// mountTable finds where a path is within its file system: a bind mount makes two paths of one
// directory, which only the kernel's table shows. A table that cannot be read finds nothing.
type mountTable []mountPoint

// readMountTable reads the mounts of this process, see proc(5).
func readMountTable() mountTable {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return parseMountTable(text)
}

func parseMountTable(text []byte) (table mountTable) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 {
			table = append(table, mountPoint{device: fields[2], root: unescapeMount(fields[3]), at: unescapeMount(fields[4])})
		}
	}
	return table
}

// unescapeMount reads the octal escapes of a mount table.
func unescapeMount(s string) string {
	before, rest, found := strings.Cut(s, `\`)
	if !found || len(rest) < 3 {
		return s
	}
	c, err := strconv.ParseUint(rest[:3], 8, 8)
	if err != nil {
		return before + `\` + unescapeMount(rest)
	}
	return before + string([]byte{byte(c)}) + unescapeMount(rest[3:])
}

// locate returns where a resolved path is within its file system, as an absolute path that starts
// with the device and lies inside no path of the host; empty where the table does not say.
func (t mountTable) locate(path string) string {
	best := -1
	for i, m := range t {
		if inside(path, m.at) && (best < 0 || len(m.at) >= len(t[best].at)) { // the last one on a point hides the others
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	m := t[best]
	return filepath.Join("/\x00"+m.device, m.root, strings.TrimPrefix(path, strings.TrimSuffix(m.at, "/")))
}
