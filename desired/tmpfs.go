package desired

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Bounds of the tmpfs of a container. What is in them is memory of the container.
const (
	maxTmpfs     = 16
	minTmpfsSize = 64 << 10
)

// tmpfsSize is a number of bytes, or of units of 1,024 as the kernel has them.
var tmpfsSize = regexp.MustCompile(`^([1-9][0-9]{0,14})([kmg]?)$`)

// parseTmpfsSize returns the bytes of a size as in "64m".
func parseTmpfsSize(text string) (int64, bool) {
	parts := tmpfsSize.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	shift := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30}[parts[2]]
	if err != nil || n > maxMemory>>shift {
		return 0, false
	}
	return n << shift, true
}

// checkTmpfs checks where a container has file systems in memory, and how large they may become. One
// that lies below a mount would make a directory in that, and one above the container's own
// directories would hide what the image has around them.
func (f *faults) checkTmpfs(tmpfs map[string]string, mounts map[string]Mount) {
	if len(tmpfs) > maxTmpfs {
		f.add("tmpfs", fmt.Sprintf("must have at most %d entries", maxTmpfs))
		return
	}
	for _, target := range slices.Sorted(maps.Keys(tmpfs)) {
		if !f.checkText("tmpfs", target, maxPath) {
			continue
		}
		field := "tmpfs." + target
		overlap := func(other string) bool { return other != target && (Inside(target, other) || Inside(other, target)) }
		size, ok := parseTmpfsSize(tmpfs[target])
		switch {
		case !cleanAbs(target) || strings.ContainsAny(target, ":,") || strings.ContainsFunc(target, unicode.IsControl):
			f.add("tmpfs", fmt.Sprintf("the path %s must be absolute and clean, without ':', ',' and control characters", Quote(target)))
		case target == "/" || closedFiles[target] || insideAny(target, closedTargets) ||
			slices.ContainsFunc(closedTargets, func(closed string) bool { return Inside(closed, target) }):
			f.add(field, "nothing may be mounted there")
		case mounts[target] != Mount{} || slices.ContainsFunc(slices.Collect(maps.Keys(mounts)), overlap):
			f.add(field, "must be neither inside nor around a path of mount")
		case !ok || size < minTmpfsSize:
			f.add(field, fmt.Sprintf("the size %s must be from 64k to %dg, as in 64m", Quote(tmpfs[target]), int64(maxMemory)>>30))
		}
	}
}
