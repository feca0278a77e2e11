package mountsource

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"lightd/desired"
)

// closed are sources that no host offers.
var closed = []string{"/proc", "/sys", "/dev"}

// Rules are which places of the host a container may see.
type Rules struct {
	// Allowed are the directories to mount from (mounts.allowed).
	Allowed []string
	// Forbidden are places that no mount may reach, allowed or not: the data
	// directory, the engine's socket.
	Forbidden []string
}

// Check inspects the host: every source of s must exist and, with all symbolic
// links resolved, lie inside an allowed directory, be no socket, and neither lie in nor
// hold a forbidden place, and no two lie inside one another unless both are read-only. The host can change
// afterwards, so this is repeated before each act that makes Docker resolve the sources: a
// creation and every start. The error is a *desired.ValidationError.
func Check(s desired.Spec, r Rules) error {
	if len(s.Mount) == 0 {
		return nil
	}
	allowed := resolveAll(r.Allowed)
	forbidden := append(resolveAll(r.Forbidden), r.Forbidden...)
	forbidden = append(forbidden, closed...)
	t := readTable()
	for _, place := range forbidden {
		forbidden = append(forbidden, t.locate(place))
	}
	var fields []desired.FieldError
	for target, m := range s.Mount {
		if problem := checkSource(m.Source, allowed, forbidden, t); problem != "" {
			fields = append(fields, desired.FieldError{Field: "mount." + target, Message: problem})
		}
	}
	return desired.InvalidFields(append(fields, desired.NestedSources(s.Mount, t.places)...))
}

// CheckSource inspects one source, as Check does.
func CheckSource(source string, r Rules) error {
	return Check(desired.Spec{Mount: map[string]desired.Mount{"source": {Source: source}}}, r)
}

// CheckAllowed refuses a directory to mount from that makes every place of the host one, or
// that lies in a forbidden one.
func CheckAllowed(dir string, forbidden []string) error {
	places := append(append(resolveAll(forbidden), forbidden...), closed...)
	resolved, err := Resolve(dir)
	if err != nil {
		resolved = dir // it may come later
	}
	for _, path := range []string{dir, resolved} {
		switch {
		case path == "/":
			return fmt.Errorf("%q is the whole host", dir)
		case within(path, places):
			return fmt.Errorf("%q lies in a place that no container may see", dir)
		}
	}
	return nil
}

func checkSource(source string, allowed, forbidden []string, t table) string {
	r, err := follow(source)
	resolved := r.path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s does not exist on the host", desired.Quote(source))
	case err != nil:
		return fmt.Sprintf("%s cannot be resolved on the host", desired.Quote(source))
	}
	for _, link := range r.links {
		if within(link, forbidden) {
			return fmt.Sprintf("%s leads through a link in a place that no container may see", desired.Quote(source))
		}
	}
	if !within(resolved, allowed) {
		if resolved != source {
			return fmt.Sprintf("%s leads to %s, out of the directories of mounts.allowed", desired.Quote(source), desired.Quote(resolved))
		}
		return fmt.Sprintf("%s leads out of the directories of mounts.allowed", desired.Quote(source))
	}
	for _, at := range []string{resolved, t.locate(resolved)} {
		for _, place := range forbidden {
			if at != "" && (desired.Inside(at, place) || desired.Inside(place, at)) {
				return fmt.Sprintf("%s reaches a place that no container may see", desired.Quote(source))
			}
		}
	}
	info, err := os.Lstat(resolved)
	if err != nil {
		return fmt.Sprintf("%s cannot be read on the host", desired.Quote(source))
	}
	if mode := info.Mode(); !mode.IsDir() && !mode.IsRegular() {
		return fmt.Sprintf("%s must be a directory or a file, not %s", desired.Quote(source), kindOf(mode))
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

func within(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return desired.Inside(path, dir) })
}
