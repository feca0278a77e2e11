package store

import (
	"maps"

	"lightd/desired"
	"lightd/desired/mountsource"
)

// checkSources returns desired.ErrMountOverlap when a mount source of spec and one of another
// container lie inside one another. old is the spec that it follows, nil for none: what was
// stored before and is not changed is not checked again.
func (tx *Tx) checkSources(spec desired.Spec, old *desired.Spec) error {
	if len(spec.Mount) == 0 || old != nil && maps.Equal(spec.Mount, old.Mount) {
		return nil
	}
	all, err := tx.Containers()
	if err != nil {
		return err
	}
	var sources mountsource.Index
	for _, c := range all {
		if c.InternalID != spec.InternalID {
			sources.Add(c.InternalID, c.Mount)
		}
	}
	return sources.Check(spec.InternalID, spec.Mount)
}

// checkListSources is checkSources of a whole list, which takes the place of all that its
// containers had before.
func (tx *Tx) checkListSources(entries []entry) error {
	changed := false
	listed := make(map[string]bool, len(entries))
	for _, e := range entries {
		listed[e.spec.InternalID] = true
		changed = changed || e.mountsChanged()
	}
	if !changed {
		return nil
	}
	all, err := tx.Containers()
	if err != nil {
		return err
	}
	var sources mountsource.Index
	for _, c := range all {
		if !listed[c.InternalID] {
			sources.Add(c.InternalID, c.Mount)
		}
	}
	for _, e := range entries {
		sources.Add(e.spec.InternalID, e.spec.Mount)
	}
	for i, e := range entries {
		if !e.mountsChanged() {
			continue
		}
		if err := sources.Check(e.spec.InternalID, e.spec.Mount); err != nil {
			return desired.AtField(place(i), err)
		}
	}
	return nil
}

// mountsChanged reports whether the entry brings other mounts than its container had.
func (e entry) mountsChanged() bool {
	return len(e.spec.Mount) > 0 && (e.old == nil || !maps.Equal(e.spec.Mount, e.old.Mount))
}
