package store

import (
	"slices"
	"strings"
	"sync"

	"lightd/desired"
)

// index holds all containers in memory.
type index struct {
	mu       sync.RWMutex
	byID     map[string]*desired.Container // values are never changed
	ids      []string                      // sorted
	revision uint64
}

func (x *index) fill(all []desired.Container, revision uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byID, x.ids, x.revision = make(map[string]*desired.Container, len(all)), nil, revision
	for i := range all {
		x.put(all[i].InternalID, &all[i])
	}
}

func (x *index) apply(all []accepted, revision uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range all {
		for id, c := range a.tx.containers {
			x.put(id, c)
		}
	}
	x.revision = revision
}

// put sets the container of id, nil for none. The caller holds mu.
func (x *index) put(id string, c *desired.Container) {
	at, found := slices.BinarySearch(x.ids, id)
	switch {
	case c == nil && found:
		x.ids = slices.Delete(x.ids, at, at+1)
		delete(x.byID, id)
	case c != nil:
		if !found {
			x.ids = slices.Insert(x.ids, at, id)
		}
		x.byID[id] = c
	}
}

// get returns the container of id, nil when there is none.
func (x *index) get(id string) *desired.Container {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byID[id]
}

// with returns all containers as they are after changes, sorted by id.
func (x *index) with(changes map[string]*desired.Container) []desired.Container {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := make([]desired.Container, 0, len(x.ids)+len(changes))
	for _, id := range x.ids {
		if _, changed := changes[id]; !changed {
			out = append(out, *x.byID[id])
		}
	}
	if len(changes) == 0 {
		return out
	}
	for _, c := range changes {
		if c != nil {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b desired.Container) int { return strings.Compare(a.InternalID, b.InternalID) })
	return out
}

// Container returns the container of that id as of the last commit.
func (s *Store) Container(id string) (desired.Container, bool) {
	c := s.index.get(id)
	if c == nil {
		return desired.Container{}, false
	}
	return *c, true
}

// Containers returns all containers as of the last commit, sorted by id.
func (s *Store) Containers() []desired.Container {
	all, _ := s.Snapshot()
	return all
}

// Snapshot returns all containers, sorted by id, and the revision of the last commit:
// no change up to it is missing, and none after it is there.
func (s *Store) Snapshot() ([]desired.Container, uint64) {
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	out := make([]desired.Container, len(s.index.ids))
	for i, id := range s.index.ids {
		out[i] = *s.index.byID[id]
	}
	return out, s.index.revision
}

// Revision returns the revision of the last commit.
func (s *Store) Revision() uint64 {
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	return s.index.revision
}

// Subscribe makes the committer call fn with the id of every container that was
// written or removed, after the commit and in its order, when reads show it already.
// fn must not block, nor write. It may still be called once while cancel returns.
func (s *Store) Subscribe(fn func(id string)) (cancel func()) { return s.changed.Add(fn) }
