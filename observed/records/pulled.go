package records

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"lightd/desired/kv"
)

// pulledPrefix is followed by the id of an image.
const pulledPrefix = "i/"

// PulledImage is an image that this instance has brought to the engine: it was not there before a pull.
type PulledImage struct {
	ImageID string `json:"image_id"`
	// Refs are the references, in full, under which this instance pulled it.
	Refs     []string  `json:"refs"`
	PulledAt time.Time `json:"pulled_at"`
	// UnusedSince is since when nothing needs it; zero while something does.
	UnusedSince time.Time `json:"unused_since,omitzero"`
}

// Pulled records the images that this instance has pulled. Its methods may be used by any number of
// goroutines.
type Pulled struct{ db *kv.DB }

// OpenPulled returns the images of a database.
func OpenPulled(db *kv.DB) *Pulled { return &Pulled{db} }

// All returns all that are recorded, in the order of their ids.
func (p *Pulled) All() (all []PulledImage, err error) {
	err = p.db.View(func(tx *kv.Tx) (err error) {
		all, err = scanPulled(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the images that were pulled: %w", err)
	}
	return all, nil
}

func scanPulled(tx *kv.Tx) (all []PulledImage, err error) {
	var bad error
	err = tx.Scan([]byte(pulledPrefix), nil, func(k, v []byte) bool {
		var image PulledImage
		if bad = json.Unmarshal(v, &image); bad != nil {
			bad = kv.Damaged(fmt.Sprintf("pulled image %q", k), bad)
			return false
		}
		all = append(all, image)
		return true
	})
	if err == nil {
		err = bad
	}
	return all, err
}

// Add records a pull of ref that has led to an image: a new one, or one more name of an image that is
// recorded. An image that was here before and is not recorded belongs to somebody else.
func (p *Pulled) Add(ctx context.Context, ref, imageID string, brought bool, now time.Time) error {
	return p.update(ctx, func(tx *kv.Tx, all []PulledImage) error {
		image := PulledImage{ImageID: imageID, PulledAt: now}
		at := slices.IndexFunc(all, func(i PulledImage) bool { return i.ImageID == imageID })
		switch {
		case at >= 0 && slices.Contains(all[at].Refs, ref), at < 0 && !brought:
			return nil
		case at >= 0:
			image = all[at]
		}
		image.Refs = append(image.Refs, ref)
		return putPulled(tx, image)
	})
}

// putPulled records an image in the place of what was recorded of it.
func putPulled(tx *kv.Tx, image PulledImage) error {
	data, err := json.Marshal(image)
	if err != nil {
		return err
	}
	return tx.Set([]byte(pulledPrefix+image.ImageID), data)
}

// Set records when an image became unused.
func (p *Pulled) Set(ctx context.Context, image PulledImage) error {
	return p.update(ctx, func(tx *kv.Tx, all []PulledImage) error {
		if !slices.ContainsFunc(all, func(i PulledImage) bool { return i.ImageID == image.ImageID }) {
			return nil // somebody else has pulled it meanwhile
		}
		return putPulled(tx, image)
	})
}

// Remove drops an image within a transaction.
func (*Pulled) Remove(tx *kv.Tx, imageID string) error {
	return tx.Delete([]byte(pulledPrefix + imageID))
}

// Disown drops the images that were pulled as ref: somebody else has pulled that too.
func (p *Pulled) Disown(ctx context.Context, ref string) error {
	return p.update(ctx, func(tx *kv.Tx, all []PulledImage) error {
		for _, image := range all {
			if slices.Contains(image.Refs, ref) {
				if err := p.Remove(tx, image.ImageID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (p *Pulled) update(ctx context.Context, fn func(tx *kv.Tx, all []PulledImage) error) error {
	err := p.db.Update(ctx, func(tx *kv.Tx) error {
		all, err := scanPulled(tx)
		if err != nil {
			return err
		}
		return fn(tx, all)
	})
	if err != nil {
		return fmt.Errorf("record the images that were pulled: %w", err)
	}
	return nil
}
