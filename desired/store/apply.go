package store

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"lightd/desired"
	"lightd/desired/mountsource"
)

// Written is a container as a write has left it, and what the write did.
type Written struct {
	desired.Container
	Action desired.Action
}

// GenerationBefore is the generation that the write found; 0 for a container that it has created.
func (w Written) GenerationBefore() int64 {
	if w.Action == desired.Unchanged {
		return w.Generation
	}
	return w.Generation - 1
}

// List is what is to be, together: the specs, and none of the containers that they leave
// out and Prune chooses.
type List struct {
	Specs []desired.Spec
	// Prune chooses among the containers that are not being deleted; nil chooses none.
	Prune func(desired.Container) bool
}

// Apply applies l in one transaction; see Tx.Apply.
func (s *Store) Apply(ctx context.Context, l List) ([]Written, error) {
	var out []Written
	err := s.Update(ctx, func(tx *Tx) (err error) {
		out, err = tx.Apply(l)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Put creates the container of spec's id, or gives it that spec; see CreateContainer and
// ChangeContainer.
func (tx *Tx) Put(spec desired.Spec) (Written, error) {
	old, err := tx.Container(spec.InternalID)
	if errors.Is(err, desired.ErrContainerNotFound) {
		c, err := tx.CreateContainer(spec)
		return Written{c, desired.Created}, err
	}
	if err != nil {
		return Written{}, err
	}
	c, err := tx.ChangeContainer(spec.InternalID, func(c *desired.Container) error {
		c.Spec = spec
		return nil
	})
	return Compare(old, c), err
}

// Compare returns c as what a write has made of old.
func Compare(old, c desired.Container) Written {
	switch {
	case c.Generation == old.Generation:
		return Written{c, desired.Unchanged}
	case c.Deleting:
		return Written{c, desired.Deleted}
	}
	return Written{c, desired.Updated}
}

// Apply puts all specs of l, in their order, and marks deleted what is to be pruned, in
// the order of ids. Ports that are to be assigned are none that another spec of the list
// names. Its errors say where in the list they are, as in "containers[1].ports[0]";
// everything that is not valid is in one error. After an error the transaction must be
// dropped.
func (tx *Tx) Apply(l List) ([]Written, error) {
	entries, err := tx.checkList(l.Specs)
	if err != nil {
		return nil, err
	}
	if err := tx.checkListSources(entries); err != nil {
		return nil, err
	}
	tx.ports.wanted = wantedBy(entries)
	listed := make(map[string]bool, len(entries))
	out := make([]Written, 0, len(entries))
	for i, e := range entries {
		w, err := tx.putEntry(e)
		if err != nil {
			return nil, desired.AtField(place(i), err)
		}
		listed[e.spec.InternalID] = true
		out = append(out, w)
	}
	tx.ports.wanted = nil
	pruned, err := tx.prune(l.Prune, listed)
	return append(out, pruned...), err
}

// listField is what the paths in errors of Apply begin with.
const listField = "containers"

func place(i int) string { return fmt.Sprintf("%s[%d]", listField, i) }

// entry is a spec of a list as it would be stored, and the container that it follows, nil
// for none.
type entry struct {
	spec desired.Spec
	old  *desired.Container
	same bool // as old's
}

// checkList returns the entries of a list, or all that is wrong with it.
func (tx *Tx) checkList(list []desired.Spec) ([]entry, error) {
	entries := make([]entry, len(list))
	var faults desired.ErrorList
	for i, spec := range list {
		var err error
		if entries[i], err = tx.entryOf(spec); err != nil && !faults.Take(desired.AtField(place(i), err)) {
			return nil, desired.AtField(place(i), err)
		}
	}
	faults.Take(desired.ValidateList(listField, list))
	return entries, faults.Err(listField)
}

// entryOf returns the valid entry of a spec.
func (tx *Tx) entryOf(spec desired.Spec) (entry, error) {
	old, err := tx.Container(spec.InternalID)
	if errors.Is(err, desired.ErrContainerNotFound) {
		e := entry{spec: tx.begin(spec)}
		return e, tx.check(e.spec, nil)
	}
	if err != nil {
		return entry{}, err
	}
	e := entry{spec: tx.inherit(spec, old.Spec), old: &old}
	if e.same = e.spec.Equal(old.Spec); e.same {
		return e, nil
	}
	return e, tx.check(e.spec, &old.Spec)
}

// wantedBy returns the ports that entries name.
func wantedBy(entries []entry) *desired.Overlaps[bool] {
	var wanted desired.Overlaps[bool]
	for _, e := range entries {
		for _, p := range e.spec.Ports {
			if !e.same && p.Port != 0 { // what is the same holds its ports already
				wanted.Add(p.Endpoint(), true)
			}
		}
	}
	return &wanted
}

func (tx *Tx) putEntry(e entry) (Written, error) {
	switch {
	case e.old == nil:
		c, err := tx.create(e.spec)
		return Written{c, desired.Created}, err
	case e.old.Deleting:
		return Written{}, fmt.Errorf("%w: %q", desired.ErrDeleting, e.old.InternalID)
	case e.same:
		return Written{*e.old, desired.Unchanged}, nil
	}
	c := *e.old
	c.Spec = e.spec
	c, err := tx.change(c, *e.old)
	return Compare(*e.old, c), err
}

// prune marks deleted what is chosen and not listed.
func (tx *Tx) prune(chosen func(desired.Container) bool, listed map[string]bool) ([]Written, error) {
	if chosen == nil {
		return nil, nil
	}
	all, err := tx.Containers()
	if err != nil {
		return nil, err
	}
	var out []Written
	for _, old := range all {
		if old.Deleting || listed[old.InternalID] || !chosen(old) {
			continue
		}
		c := old
		c.Deleting = true
		if c, err = tx.change(c, old); err != nil {
			return nil, fmt.Errorf("prune container %s: %w", old.InternalID, err)
		}
		out = append(out, Written{c, desired.Deleted})
	}
	return out, nil
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
