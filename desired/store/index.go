package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"lightd/desired"
	"lightd/desired/kv"
)

const containerPrefix = "c/"

func containerKey(id string) []byte { return []byte(containerPrefix + id) }

func idOf(containerKey string) string { return containerKey[len(containerPrefix):] }

func decodeContainer(id string, data []byte) (desired.Container, error) {
	var c desired.Container
	c.QuotaExceeded, c.ImagePull = desired.QuotaTell, desired.ImagePullMissing // of a record from before there was a choice
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("decode container %q: %w", id, err)
	}
	return c, nil
}

// containerOf returns the container that a write of Tx.putContainer stands for, nil for a removal.
func containerOf(w kv.Write) *desired.Container {
	c, _ := w.Object.(*desired.Container)
	return c
}

// Snapshot is a place in the order of commits.
type Snapshot struct {
	// Revision is that of the last commit, Shown that of the last touch of a container.
	Revision, Shown uint64
}

func snapshotOf(tx *kv.Tx) Snapshot {
	return Snapshot{Revision: tx.Revision(), Shown: tx.TouchedRevision()}
}

// index holds all containers in memory.
type index struct {
	mu   sync.RWMutex
	byID map[string]*desired.Container // values are never changed
	ids  []string                      // sorted
	at   Snapshot
}

func (x *index) fill(all []desired.Container, at Snapshot) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byID, x.ids, x.at = make(map[string]*desired.Container, len(all)), nil, at
	for i := range all {
		x.putLocked(all[i].InternalID, &all[i])
	}
}

// apply brings the index to at by what a transaction wrote, and returns the ids of the
// containers among it.
func (x *index) apply(writes []kv.Write, at Snapshot) (ids []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range writes {
		id := idOf(w.Key)
		x.putLocked(id, containerOf(w))
		ids = append(ids, id)
	}
	x.at = at
	return ids
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

func (x *index) snapshot() Snapshot {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.at
}

// get returns the container of id, nil when there is none.
func (x *index) get(id string) *desired.Container {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byID[id]
}

// with returns all containers as they are after writes, sorted by id.
func (x *index) with(writes []kv.Write) []desired.Container {
	x.mu.RLock()
	defer x.mu.RUnlock()
	changed := make(map[string]bool, len(writes))
	for _, w := range writes {
		changed[idOf(w.Key)] = true
	}
	out := make([]desired.Container, 0, len(x.ids)+len(writes))
	for _, id := range x.ids {
		if !changed[id] {
			out = append(out, *x.byID[id])
		}
	}
	if len(writes) == 0 {
		return out
	}
	for _, w := range writes {
		if c := containerOf(w); c != nil {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b desired.Container) int { return strings.Compare(a.InternalID, b.InternalID) })
	return out
}
