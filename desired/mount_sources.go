package desired

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A mount source that lies inside another one can be replaced, by a symbolic link for
// instance, by whoever the outer one is mounted for, between any check and the moment at
// which Docker resolves it again. Sources are therefore equal or apart.

// maxLinks bounds the symbolic links in one path, as the kernel does.
const maxLinks = 40

// resolution is what a path leads to on the host, and the symbolic links on the way.
type resolution struct {
	path  string
	links []string
}

// resolve follows the symbolic links of an absolute path. Unlike filepath.EvalSymlinks it
// returns the location of each link as well: whoever can write there decides where the path
// leads. On an error the resolution is as far as it got.
func resolve(path string) (resolution, error) {
	r := resolution{path: "/"}
	rest := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			r.path = filepath.Dir(r.path)
			continue
		}
		next := filepath.Join(r.path, name)
		info, err := os.Lstat(next)
		if err != nil {
			r.path = filepath.Join(append([]string{next}, rest...)...)
			return r, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			r.path = next
			continue
		}
		r.links = append(r.links, next)
		target, err := os.Readlink(next)
		if err == nil && len(r.links) > maxLinks {
			err = errors.New("too many symbolic links")
		}
		if err != nil {
			return r, err
		}
		if filepath.IsAbs(target) {
			r.path = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return r, nil
}

// places are the locations on the host that decide what a source is: the path as written,
// what it leads to, the links between, and where that is within its file system.
func (t mountTable) places(source string) []string {
	r, _ := resolve(source)
	list := append([]string{filepath.Clean(source)}, r.links...)
	if r.path != list[0] {
		list = append(list, r.path)
	}
	if at := t.locate(r.path); at != "" {
		list = append(list, at)
	}
	return list
}

// nested reports whether one of two sources lies strictly inside the other one.
func nested(a, b string) bool { return a != b && (inside(a, b) || inside(b, a)) }

// checkNested refuses sources of one spec that lie inside one another. placesOf returns
// the locations that decide what a source is.
func (f *faults) checkNested(mounts map[string]string, placesOf func(string) []string) {
	all := make(map[string][]string, len(mounts))
	for target, source := range mounts {
		all[target] = placesOf(source)
	}
	for target := range all {
		for other := range all {
			if target < other && anyNested(all[target], all[other]) {
				f.add("mount."+other, fmt.Sprintf("the source %s and %s, that of %s, must not lie inside one another",
					quote(mounts[other]), quote(mounts[target]), quote(target)))
			}
		}
	}
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

// MountSources finds the container whose mount sources hold, or lie inside, those of
// another container. The zero value is empty.
type MountSources struct {
	// at are the containers with a location of a source at a path, above those with one
	// strictly below it.
	at, above map[string]mountOwners
	// table is the host's as of the first use.
	table mountTable
}

// mountOwners are two different containers at most: that is enough to find one that is
// not the container that is asked for.
type mountOwners []string

func (o mountOwners) with(owner string) mountOwners {
	if len(o) == 0 || len(o) == 1 && o[0] != owner {
		return append(o, owner)
	}
	return o
}

func (o mountOwners) other(owner string) (string, bool) {
	for _, id := range o {
		if id != owner {
			return id, true
		}
	}
	return "", false
}

// Add notes the sources of a container.
func (m *MountSources) Add(owner string, mounts map[string]string) {
	if m.at == nil {
		m.at, m.above, m.table = map[string]mountOwners{}, map[string]mountOwners{}, readMountTable()
	}
	for _, source := range mounts {
		for _, place := range m.table.places(source) {
			m.at[place] = m.at[place].with(owner)
			for dir := range parents(place) {
				m.above[dir] = m.above[dir].with(owner)
			}
		}
	}
}

// Check returns ErrMountOverlap, with the field and the other container, when a source of
// owner lies inside a source of another container or holds one. Equal sources are shared,
// and no overlap.
func (m *MountSources) Check(owner string, mounts map[string]string) error {
	for _, target := range slices.Sorted(maps.Keys(mounts)) {
		for _, place := range m.table.places(mounts[target]) {
			other, found := m.above[place].other(owner)
			for dir := range parents(place) {
				if found {
					break
				}
				other, found = m.at[dir].other(owner)
			}
			if found {
				return &Located{Field: "mount." + target, Err: fmt.Errorf("%w: %s and a mount source of container %s lie inside one another",
					ErrMountOverlap, quote(mounts[target]), other)}
			}
		}
	}
	return nil
}

// parents yields the directories above an absolute clean path, from the nearest to the root.
func parents(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for path != "/" {
			path = filepath.Dir(path)
			if !yield(path) {
				return
			}
		}
	}
}

// ResolvePath returns what an absolute path leads to on the host, with all symbolic links
// resolved.
func ResolvePath(path string) (string, error) {
	r, err := resolve(path)
	return r.path, err
}
