package store

import (
	"slices"
	"strings"
	"sync"

	"lightd/desired"
)

// index holds all containers in memory.
type index struct {
	mu   sync.RWMutex
	byID map[string]*desired.Container // values are never changed
	ids  []string                      // sorted
	at   counters
}

func (x *index) fill(all []desired.Container, at counters) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byID, x.ids, x.at = make(map[string]*desired.Container, len(all)), nil, at
	for i := range all {
		x.putLocked(all[i].InternalID, &all[i])
	}
}

func (x *index) apply(containers map[string]*desired.Container, at counters) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, c := range containers {
		x.putLocked(id, c)
	}
	x.at = at
}

// putLocked sets the container of id, nil for none. The caller holds mu.
func (x *index) putLocked(id string, c *desired.Container) {
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
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	out := make([]desired.Container, len(s.index.ids))
	for i, id := range s.index.ids {
		out[i] = *s.index.byID[id]
	}
	return out
}

// AtSnapshot runs fn while nothing is published: all that is read in it from memory, here and
// from what hooks and subscribers keep, is as of this one moment. Writers wait for fn, so
// it must be short, and must neither write nor call Still.
func (s *Store) AtSnapshot(fn func(Snapshot)) {
	s.publishing.RLock()
	defer s.publishing.RUnlock()
	s.index.mu.RLock()
	at := s.index.at
	s.index.mu.RUnlock()
	fn(Snapshot{Revision: at.revision, Shown: at.shown})
}

// Snapshot is a place in the order of commits.
type Snapshot struct {
	// Revision is that of the last commit, Shown that of the last touch of a container.
	Revision, Shown uint64
}

// Commit is one transaction that is on disk.
type Commit struct {
	// Revision is its last.
	Revision uint64
	// Touched are the containers that look different, sorted by id.
	Touched []string
}

// RevisionOf returns the revision of the change of Touched[i].
func (c Commit) RevisionOf(i int) uint64 { return c.Revision - uint64(len(c.Touched)-1-i) }

// SubscribeCommits makes the committer call fn with every transaction, one by one in
// their order, when what is read from memory is as of exactly that transaction. fn must
// not block, nor write. It may still be called once while cancel returns.
func (s *Store) SubscribeCommits(fn func(Commit)) (cancel func()) { return s.commits.Add(fn) }

// Subscribe makes the committer call fn with the id of every container that was
// written or removed, after the commit and in its order, when reads show it already.
// fn must not block, nor write. It may still be called once while cancel returns.
func (s *Store) Subscribe(fn func(id string)) (cancel func()) { return s.changed.Add(fn) }
