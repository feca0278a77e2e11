package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"lightd/desired"
	"lightd/desired/kv"
)

var cordonKey = []byte("m/cordon")

// PutCordon cordons the node, or changes its cordon, which keeps its time. It is written on a full disk too.
func (tx *Tx) PutCordon(c desired.Cordon) (desired.Cordon, error) {
	if err := c.Validate(); err != nil {
		return c, err
	}
	have, err := tx.Cordon()
	if err != nil {
		return c, err
	}
	if c.Since = tx.Now(); have != nil {
		c.Since = have.Since
	}
	data, err := json.Marshal(c)
	if err != nil {
		return c, fmt.Errorf("encode the cordon: %w", err)
	}
	if err := tx.SetEssential(cordonKey, data); err != nil {
		return c, err
	}
	tx.Attach(cordonKey, &c)
	return c, nil
}

// DeleteCordon ends the cordon of the node, and reports whether there was one.
func (tx *Tx) DeleteCordon() (was bool, err error) {
	have, err := tx.Cordon()
	if err != nil || have == nil {
		return false, err
	}
	return true, tx.Delete(cordonKey)
}

// Cordon returns the cordon of the node; nil while there is none.
func (tx *Tx) Cordon() (*desired.Cordon, error) {
	data, err := tx.Get(cordonKey)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c desired.Cordon
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("decode the cordon: %w", err)
	}
	return &c, nil
}

// Cordon returns the cordon of the node as of the last commit; nil while there is none. It is shared and read-only.
func (s *Store) Cordon() *desired.Cordon { return s.cordon.Load() }

// SubscribeCordon makes the committer call fn when the cordon was written or ended, when Cordon shows it already.
// fn must not block, nor write. It may still be called once while cancel returns.
func (s *Store) SubscribeCordon(fn func(*desired.Cordon)) (cancel func()) { return s.cordoned.Add(fn) }

// publishCordon brings memory to what tx wrote, and reports whether that is a cordon.
func (s *Store) publishCordon(tx *kv.Tx) (written bool) {
	for _, w := range tx.Written(cordonKey) {
		c, _ := w.Object.(*desired.Cordon)
		s.cordon.Store(c)
		written = true
	}
	return written
}
