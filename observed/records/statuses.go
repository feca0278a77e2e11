package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/desired/subscribe"
	"lightd/observed/status"
)

// Statuses holds the status of every container, in memory and in the database.
type Statuses struct {
	changed subscribe.Funcs[string]

	mu     sync.RWMutex
	byID   map[string]status.Status // guarded by mu
	held   map[string]status.Status // guarded by mu; what could not be recorded
	engine status.EngineStatus      // guarded by mu
	node   status.NodeStatus        // guarded by mu
}

const recordPrefix = "s/"

var engineKey = []byte("m/sight")

func recordKey(id string) []byte { return []byte(recordPrefix + id) }

// OpenStatuses reads all status records of a database.
func OpenStatuses(db *kv.DB) (*Statuses, error) {
	r := &Statuses{byID: map[string]status.Status{}, held: map[string]status.Status{}, engine: status.EngineStatus{Up: true}}
	err := db.View(func(tx *kv.Tx) error {
		bad := errors.Join(r.readEngineStatus(tx), r.readNode(tx))
		err := tx.Scan([]byte(recordPrefix), nil, func(k, v []byte) bool {
			var st status.Status
			id := string(k[len(recordPrefix):])
			if err := json.Unmarshal(v, &st); err != nil {
				bad = errors.Join(bad, fmt.Errorf("decode status of %q: %w", id, err))
				return false
			}
			r.byID[id] = st
			return true
		})
		return errors.Join(err, bad)
	})
	if err != nil {
		return nil, fmt.Errorf("open status records: %w", err)
	}
	return r, nil
}

// Get returns the status of a container as of the last commit, or what is held of it. It is
// shared and read-only; Clone before changing it.
func (r *Statuses) Get(id string) (status.Status, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if st, ok := r.held[id]; ok {
		return st, true
	}
	st, ok := r.byID[id]
	return st, ok
}

// Hold keeps a status that cannot be recorded in memory, where Get returns it until a Put or a
// Delete. Its version stays that of the record which it will follow.
func (r *Statuses) Hold(st status.Status) {
	r.mu.Lock()
	r.held[st.InternalID] = st
	r.mu.Unlock()
	r.changed.Notify(st.InternalID)
}

// Held reports whether what Get returns is not recorded.
func (r *Statuses) Held(id string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.held[id]
	return ok
}

var spaceKey = []byte("m/space")

// PutSpace records the level of the disk, and returns the one before, empty when none was
// recorded and there is something to record now. Containers look different while the disk is full: each takes a revision.
func (r *Statuses) PutSpace(tx *store.Tx, level string) (before string, err error) {
	data, err := tx.Get(spaceKey)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return "", err
	}
	if before = string(data); before == level || before == "" && level == string(kv.SpaceOK) {
		return level, nil
	}
	if err := tx.SetEssential(spaceKey, []byte(level)); err != nil {
		return "", err
	}
	if full := string(kv.SpaceFull); before != full && level != full {
		return before, nil
	}
	all, err := tx.Containers()
	for _, c := range all {
		tx.Touch(c.InternalID)
	}
	return before, err
}

func (r *Statuses) readEngineStatus(tx *kv.Tx) error {
	data, err := tx.Get(engineKey)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &r.engine); err != nil {
		return fmt.Errorf("decode engine status: %w", err)
	}
	return nil
}

// EngineStatus returns whether Docker was reachable as of the last commit.
func (r *Statuses) EngineStatus() status.EngineStatus {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.engine
}

// PutEngineStatus records whether Docker is reachable. Every container looks different with it: each
// takes a revision. Nothing is written when it is recorded already.
func (r *Statuses) PutEngineStatus(tx *store.Tx, now status.EngineStatus) error {
	if r.EngineStatus().Up == now.Up {
		return nil
	}
	data, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("encode engine status: %w", err)
	}
	if err := tx.SetEssential(engineKey, data); err != nil {
		return err
	}
	all, err := tx.Containers()
	if err != nil {
		return err
	}
	for _, c := range all {
		tx.Touch(c.InternalID)
	}
	tx.AfterCommit(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.engine = now
	})
	return nil
}

// ErrStale answers a Put of what does not follow the last version.
var ErrStale = errors.New("status was written or removed meanwhile")

// Put writes st as the version after that which it holds, or returns ErrStale. What readers
// see of the container takes a revision of its own if it changes. The caller
// must not change it any more: once it is on disk, memory holds st itself, and its times
// keep their monotonic readings.
func (r *Statuses) Put(tx *kv.Tx, st status.Status) error {
	last, err := r.last(tx, st.InternalID)
	if err != nil {
		return err
	}
	if last.Version != st.Version {
		return fmt.Errorf("write version %d of status of %q over version %d: %w", st.Version+1, st.InternalID, last.Version, ErrStale)
	}
	if !st.EqualIgnoringVersion(last) || r.Held(st.InternalID) {
		tx.Touch(st.InternalID)
	}
	st.Version++
	data, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encode status of %q: %w", st.InternalID, err)
	}
	if err := tx.SetEssential(recordKey(st.InternalID), data); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		r.mu.Lock()
		r.byID[st.InternalID] = st
		delete(r.held, st.InternalID)
		r.mu.Unlock()
		r.changed.Notify(st.InternalID)
	})
	return nil
}

// last returns the record in the database; the zero Status when there is none.
func (r *Statuses) last(tx *kv.Tx, id string) (status.Status, error) {
	data, err := tx.Get(recordKey(id))
	if errors.Is(err, kv.ErrNotFound) {
		return status.Status{}, nil
	}
	if err != nil {
		return status.Status{}, err
	}
	var last struct {
		Version uint64 `json:"version"`
	}
	if err := json.Unmarshal(data, &last); err != nil {
		return status.Status{}, fmt.Errorf("decode status of %q: %w", id, err)
	}
	// Memory has the same unless another transaction of this batch has written it.
	r.mu.RLock()
	have, ok := r.byID[id]
	r.mu.RUnlock()
	if ok && have.Version == last.Version {
		return have, nil
	}
	var st status.Status
	if err := json.Unmarshal(data, &st); err != nil {
		return status.Status{}, fmt.Errorf("decode status of %q: %w", id, err)
	}
	return st, nil
}

// Delete removes the status of a container.
func (r *Statuses) Delete(tx *kv.Tx, id string) error {
	if err := tx.Delete(recordKey(id)); err != nil {
		return err
	}
	tx.Touch(id)
	tx.AfterCommit(func() {
		r.mu.Lock()
		delete(r.byID, id)
		delete(r.held, id)
		r.mu.Unlock()
		r.changed.Notify(id)
	})
	return nil
}

// Subscribe makes the committer call fn with the id of every record that was written or
// deleted, in the order of commits, when Get shows it already. fn must not block, nor
// write. It may still be called once while cancel returns.
func (r *Statuses) Subscribe(fn func(id string)) (cancel func()) { return r.changed.Add(fn) }
