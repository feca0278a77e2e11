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
