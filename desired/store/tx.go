package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"lightd/desired"
	"lightd/desired/kv"
)

// Tx is a transaction for containers, the network pool and volumes. Its Tx is the same
// transaction for those who keep other keys. It is valid only inside the function that it was
// given to, on that goroutine.
type Tx struct {
	*kv.Tx
	options *Options
	// memory holds the containers that no pending write changes; nil outside the
	// committer, where they are read from the database.
	memory *index
	// ports remembers what searches for free ports have found in this transaction.
	ports freePortScan
}

func newTx(tx *kv.Tx, o *Options, memory *index) *Tx {
	return &Tx{Tx: tx, options: o, memory: memory, ports: freePortScan{tx: tx, options: o}}
}

// table returns a working copy of the pool.
func (tx *Tx) table() *table { return newTable(tx.Tx, tx.options) }

// Container returns the container of that id, or desired.ErrContainerNotFound. It is
// shared and read-only.
func (tx *Tx) Container(id string) (desired.Container, error) {
	if w, ok := tx.Pending(containerKey(id)); ok {
		return orNotFound(id, containerOf(w))
	}
	if tx.memory != nil {
		return orNotFound(id, tx.memory.get(id))
	}
	data, err := tx.Get(containerKey(id))
	if errors.Is(err, kv.ErrNotFound) {
		return orNotFound(id, nil)
	}
	if err != nil {
		return desired.Container{}, err
	}
	return decodeContainer(id, data)
}

func orNotFound(id string, c *desired.Container) (desired.Container, error) {
	if c == nil {
		return desired.Container{}, fmt.Errorf("%w: %q", desired.ErrContainerNotFound, id)
	}
	return *c, nil
}

// Containers returns all containers, sorted by id. They are shared and read-only.
func (tx *Tx) Containers() ([]desired.Container, error) {
	if tx.memory != nil {
		return tx.memory.with(tx.PendingUnder([]byte(containerPrefix))), nil
	}
	var out []desired.Container
	var bad error
	err := tx.Scan([]byte(containerPrefix), nil, func(k, v []byte) bool {
		var c desired.Container
		if c, bad = decodeContainer(idOf(string(k)), v); bad != nil {
			return false
		}
		out = append(out, c)
		return true
	})
	return out, errors.Join(err, bad)
}

// putContainer stores c. What is essential is written on a full disk too.
func (tx *Tx) putContainer(c desired.Container, essential bool) (desired.Container, error) {
	c.Revision = tx.Revision()
	data, err := json.Marshal(c)
	if err != nil {
		return desired.Container{}, fmt.Errorf("encode container %q: %w", c.InternalID, err)
	}
	set := tx.Set
	if essential {
		set = tx.SetEssential
	}
	key := containerKey(c.InternalID)
	if err := set(key, data); err != nil {
		return desired.Container{}, err
	}
	tx.Attach(key, &c)
	tx.Touch(c.InternalID)
	return c, nil
}

// deleteContainer removes the record of a container.
func (tx *Tx) deleteContainer(id string) error {
	if err := tx.Delete(containerKey(id)); err != nil {
		return err
	}
	tx.Touch(id)
	return nil
}
