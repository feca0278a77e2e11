package desired

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Targets that hold what Lightd itself puts there, or what would break out of the
// container's own view of itself, and everything below them.
var closedTargets = []string{"/home/container", "/app/data", "/proc", "/sys", "/dev"}

// Targets that decide who is who inside; what is beside them may be mounted.
var closedFiles = map[string]bool{"/": true, "/etc": true, "/etc/passwd": true, "/etc/shadow": true, "/etc/group": true}

// Sources that are closed on every host.
var closedSources = []string{"/proc", "/sys", "/dev"}

func (f *faults) checkMounts(mounts map[string]string, allowed []string) {
	if len(mounts) > maxMounts {
		f.add("mount", fmt.Sprintf("must have at most %d entries", maxMounts))
		return
	}
	for target, source := range mounts {
		if !f.checkText("mount", target, maxPath) || !f.checkText("mount", source, maxPath) {
			continue
		}
		field := "mount." + target
		switch {
		case !cleanAbs(target) || strings.Contains(target, ":"):
			f.add("mount", fmt.Sprintf("the target %s must be an absolute clean path without ':'", quote(target)))
		case closedFiles[target] || insideAny(target, closedTargets):
			f.add(field, "nothing may be mounted there")
		case !cleanAbs(source):
			f.add(field, fmt.Sprintf("the source %s must be an absolute clean path", quote(source)))
		case !insideAny(source, allowed):
			f.add(field, fmt.Sprintf("%s is not below a directory of mounts.allowed", quote(source)))
		}
	}
	f.checkNested(mounts, func(source string) []string { return []string{filepath.Clean(source)} })
}

// MountRules says which places of the host a container may see.
type MountRules struct {
	// Allowed are the directories to mount from (mounts.allowed).
	Allowed []string
	// Forbidden are places that no mount may reach, allowed or not: the data
	// directory, the engine's socket.
	Forbidden []string
}

// CheckMounts inspects the host: every source of s must exist and, with all symbolic
// links resolved, lie inside an allowed directory, be no socket, and neither lie in nor
// hold a forbidden place, and no two lie inside one another. The host can change
// afterwards, so this is repeated before each act that makes Docker resolve the sources: a
// creation and every start. The error is a *ValidationError.
func CheckMounts(s Spec, r MountRules) error {
	var f faults
	if len(s.Mount) == 0 {
		return nil
	}
	allowed := resolveAll(r.Allowed)
	forbidden := append(resolveAll(r.Forbidden), r.Forbidden...)
	forbidden = append(forbidden, closedSources...)
	table := readMountTable()
	for _, place := range forbidden {
		forbidden = append(forbidden, table.locate(place))
	}
	for target, source := range s.Mount {
		if problem := checkSource(source, allowed, forbidden, table); problem != "" {
			f.add("mount."+target, problem)
		}
	}
	f.checkNested(s.Mount, table.places)
	return f.err()
}

// CheckAllowed refuses a directory to mount from that makes every place of the host one, or
// that lies in a forbidden one.
func CheckAllowed(dir string, forbidden []string) error {
	places := append(append(resolveAll(forbidden), forbidden...), closedSources...)
	resolved, err := ResolvePath(dir)
	if err != nil {
		resolved = dir // it may come later
	}
	for _, path := range []string{dir, resolved} {
		switch {
		case path == "/":
			return fmt.Errorf("%q is the whole host", dir)
		case insideAny(path, places):
			return fmt.Errorf("%q lies in a place that no container may see", dir)
		}
	}
	return nil
}

func checkSource(source string, allowed, forbidden []string, table mountTable) string {
	r, err := resolve(source)
	resolved := r.path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s does not exist on the host", quote(source))
	case err != nil:
		return fmt.Sprintf("%s cannot be resolved on the host", quote(source))
	}
	for _, link := range r.links {
		if insideAny(link, forbidden) {
			return fmt.Sprintf("%s leads through a link in a place that no container may see", quote(source))
		}
	}
	if !insideAny(resolved, allowed) {
		if resolved != source {
			return fmt.Sprintf("%s leads to %s, out of the directories of mounts.allowed", quote(source), quote(resolved))
		}
		return fmt.Sprintf("%s leads out of the directories of mounts.allowed", quote(source))
	}
	for _, at := range []string{resolved, table.locate(resolved)} {
		for _, place := range forbidden {
			if at != "" && (inside(at, place) || inside(place, at)) {
				return fmt.Sprintf("%s reaches a place that no container may see", quote(source))
			}
		}
	}
	info, err := os.Lstat(resolved)
	if err != nil {
		return fmt.Sprintf("%s cannot be read on the host", quote(source))
	}
	if mode := info.Mode(); !mode.IsDir() && !mode.IsRegular() {
		return fmt.Sprintf("%s must be a directory or a file, not %s", quote(source), kindOf(mode))
	}
	return ""
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	default:
		return "a device"
	}
}

// resolveAll resolves links in paths; one that does not exist can hold nothing.
func resolveAll(paths []string) []string {
	var out []string
	for _, p := range paths {
		if r, err := filepath.EvalSymlinks(p); err == nil {
			out = append(out, r)
		}
	}
	return out
}

func cleanAbs(path string) bool { return filepath.IsAbs(path) && filepath.Clean(path) == path }

func insideAny(path string, dirs []string) bool {
	for _, dir := range dirs {
		if inside(path, dir) {
			return true
		}
	}
	return false
}

// inside reports whether path is dir or below it, compared by whole components:
// "/srv-evil" is not inside "/srv".
func inside(path, dir string) bool {
	if !filepath.IsAbs(dir) {
		return false
	}
	dir = filepath.Clean(dir)
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
