package desired

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Targets that hold what Lightd itself puts there, or what would break out of the
// container's own view of itself, and everything below them.
var closedTargets = []string{"/home/container", "/app/data", "/proc", "/sys", "/dev"}

// Targets that decide who is who inside; what is beside them may be mounted.
var closedFiles = map[string]bool{"/": true, "/etc": true, "/etc/passwd": true, "/etc/shadow": true, "/etc/group": true}

// checkMounts checks mounts. Those that old has, and lets do as much, may be outside of what is allowed.
func (f *faults) checkMounts(mounts, old map[string]Mount, allowed []string) {
	if len(mounts) > maxMounts {
		f.add("mount", fmt.Sprintf("must have at most %d entries", maxMounts))
		return
	}
	for target, m := range mounts {
		source, had := m.Source, old[target]
		keeps := had.Source == source && (m.ReadOnly || !had.ReadOnly)
		if !f.checkText("mount", target, maxPath) || !f.checkText("mount", source, maxPath) {
			continue
		}
		field := "mount." + target
		switch {
		case !cleanAbs(target) || strings.Contains(target, ":"):
			f.add("mount", fmt.Sprintf("the target %s must be an absolute clean path without ':'", Quote(target)))
		case closedFiles[target] || insideAny(target, closedTargets):
			f.add(field, "nothing may be mounted there")
		case !cleanAbs(source):
			f.add(field, fmt.Sprintf("the source %s must be an absolute clean path", Quote(source)))
		case !insideAny(source, allowed) && !keeps:
			f.add(field, fmt.Sprintf("%s is not below a directory of mounts.allowed", Quote(source)))
		}
	}
	*f = append(*f, NestedSources(mounts, func(source string) []string { return []string{filepath.Clean(source)} })...)
}

func cleanAbs(path string) bool { return filepath.IsAbs(path) && filepath.Clean(path) == path }

func insideAny(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return Inside(path, dir) })
}

// Inside reports whether path is dir or below it, compared by whole components:
// "/srv-evil" is not inside "/srv".
func Inside(path, dir string) bool {
	if !filepath.IsAbs(dir) {
		return false
	}
	dir = filepath.Clean(dir)
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// nested reports whether one of two sources lies strictly inside the other one.
func nested(a, b string) bool { return a != b && (Inside(a, b) || Inside(b, a)) }

// NestedSources returns what is wrong with sources of one spec that lie inside one another.
// A mount source inside another one can be replaced, by a symbolic link for instance, by
// whoever the outer one is mounted for, between any check and the moment at which Docker
// resolves it again: sources are equal or apart, unless nobody can write to either. placesOf returns
// the locations that decide what a source is.
func NestedSources(mounts map[string]Mount, placesOf func(string) []string) []FieldError {
	var found faults
	all := make(map[string][]string, len(mounts))
	for target, m := range mounts {
		all[target] = placesOf(m.Source)
	}
	for target := range all {
		for other := range all {
			if target < other && !(mounts[target].ReadOnly && mounts[other].ReadOnly) && anyNested(all[target], all[other]) {
				found.add("mount."+other, fmt.Sprintf("the source %s and %s, that of %s, must not lie inside one another",
					Quote(mounts[other].Source), Quote(mounts[target].Source), Quote(target)))
			}
		}
	}
	return found
}

func anyNested(a, b []string) bool {
	for _, one := range a {
		for _, other := range b {
			if nested(one, other) {
				return true
			}
		}
	}
	return false
}
