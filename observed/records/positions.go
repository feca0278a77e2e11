package records

import (
	"context"
	"encoding/binary"
	"fmt"

	"lightd/desired/kv"
)

// positionPrefix is followed by the name of a receiver.
const positionPrefix = "w/"

// Positions record how far the journal is delivered: the number of the last delivered event, by the
// name of the receiver. Its methods may be used by any number of goroutines.
type Positions struct{ db *kv.DB }

// OpenPositions returns the positions of a database.
func OpenPositions(db *kv.DB) *Positions { return &Positions{db} }

// Load returns all positions.
func (p *Positions) Load() (map[string]uint64, error) {
	var found map[string]uint64
	err := p.db.View(func(tx *kv.Tx) (err error) {
		found, err = scanPositions(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the positions in the journal: %w", err)
	}
	return found, nil
}

func scanPositions(tx *kv.Tx) (map[string]uint64, error) {
	found := map[string]uint64{}
	var bad error
	err := tx.Scan([]byte(positionPrefix), nil, func(k, v []byte) bool {
		if len(v) != 8 {
			bad = kv.Damaged(fmt.Sprintf("position %q", k), fmt.Errorf("%d bytes, not 8", len(v)))
			return false
		}
		found[string(k[len(positionPrefix):])] = binary.BigEndian.Uint64(v)
		return true
	})
	if err == nil {
		err = bad
	}
	return found, err
}

// Save records positions in place of all that were recorded before.
func (p *Positions) Save(ctx context.Context, positions map[string]uint64) error {
	err := p.db.Update(ctx, func(tx *kv.Tx) error {
		before, err := scanPositions(tx)
		if err != nil {
			return err
		}
		for name := range before {
			if _, kept := positions[name]; !kept {
				if err := tx.Delete([]byte(positionPrefix + name)); err != nil {
					return err
				}
			}
		}
		for name, seq := range positions {
			if known, found := before[name]; found && known == seq {
				continue
			}
			if err := tx.Set([]byte(positionPrefix+name), binary.BigEndian.AppendUint64(nil, seq)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the positions in the journal: %w", err)
	}
	return nil
}
