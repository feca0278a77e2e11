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
	// at are the containers with a location of a source at a path, above those with one
	// strictly below it.
	at, above map[string]owners
	// table is the host's as of the first use.
	table table
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
func (m *Index) Add(owner string, mounts map[string]string) {
	if m.at == nil {
		m.at, m.above, m.table = map[string]owners{}, map[string]owners{}, readTable()
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

// Check returns desired.ErrMountOverlap, with the field and the other container, when a source of
// owner lies inside a source of another container or holds one. Equal sources are shared,
// and no overlap.
func (m *Index) Check(owner string, mounts map[string]string) error {
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
				return &desired.FieldPathError{Field: "mount." + target, Err: fmt.Errorf("%w: %s holds one of container %s, or lies inside it",
					desired.ErrMountOverlap, desired.Quote(mounts[target]), other)}
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
