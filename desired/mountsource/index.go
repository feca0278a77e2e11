package mountsource

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"lightd/desired"
)

// Index finds the container whose mount sources hold, or lie inside, those of
// another container. The zero value is empty.
type Index struct {
	// all are the sources of every mount, writable those of the mounts that can be written to.
	all, writable locations
	// table is the host's as of the first use.
	table table
}

// locations are the containers with a location of a source at a path (at), and those with one strictly
// below it (above).
type locations struct{ at, above map[string]owners }

func newLocations() locations { return locations{map[string]owners{}, map[string]owners{}} }

func (l locations) add(place, owner string) {
	l.at[place] = l.at[place].with(owner)
	for dir := range parents(place) {
		l.above[dir] = l.above[dir].with(owner)
	}
}

// nested returns a container that is not owner and has a location above a place or below it.
func (l locations) nested(place, owner string) (other string, found bool) {
	other, found = l.above[place].other(owner)
	for dir := range parents(place) {
		if found {
			break
		}
		other, found = l.at[dir].other(owner)
	}
	return other, found
}

// owners are two different containers at most: that is enough to find one that is
// not the requesting container.
type owners []string

func (o owners) with(owner string) owners {
	if len(o) == 0 || len(o) == 1 && o[0] != owner {
		return append(o, owner)
	}
	return o
}

func (o owners) other(owner string) (string, bool) {
	for _, id := range o {
		if id != owner {
			return id, true
		}
	}
	return "", false
}

// Add notes the sources of a container.
func (m *Index) Add(owner string, mounts map[string]desired.Mount) {
	if m.all.at == nil {
		m.all, m.writable, m.table = newLocations(), newLocations(), readTable()
	}
	for _, mount := range mounts {
		for _, place := range m.table.places(mount.Source) {
			m.all.add(place, owner)
			if !mount.ReadOnly {
				m.writable.add(place, owner)
			}
		}
	}
}

// Check returns desired.ErrMountOverlap, with the field and the other container, when a source of
// owner lies inside a source of another container or holds one, and one of the two can be written to.
// Equal sources are shared, and no overlap.
func (m *Index) Check(owner string, mounts map[string]desired.Mount) error {
	for _, target := range slices.Sorted(maps.Keys(mounts)) {
		against := m.all
		if mounts[target].ReadOnly {
			against = m.writable
		}
		for _, place := range m.table.places(mounts[target].Source) {
			if other, found := against.nested(place, owner); found {
				return &desired.FieldPathError{Field: "mount." + target, Err: fmt.Errorf("%w: %s holds one of container %s, or lies inside it",
					desired.ErrMountOverlap, desired.Quote(mounts[target].Source), other)}
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
