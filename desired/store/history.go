package store

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
)

// historyPrefix begins the keys of the specs that containers had before their present ones. They are compressed: an apply
// that changes all containers of a node writes one for each.
const historyPrefix = "h/"

// maxSpecs is how many specs of a container are kept, the present one included.
const maxSpecs = 10

// maxHistoryRecord bounds what one record unfolds to, in bytes: more than a spec can have.
const maxHistoryRecord = 16 << 20

// Version is a spec that a container has or had.
type Version struct {
	// Generation is the one with which it began, At when that was.
	Generation int64
	At         time.Time
	Spec       desired.Spec
}

// historyRecord is a Version as it is kept; the key has the generation.
type historyRecord struct {
	At   time.Time    `json:"at"`
	Spec desired.Spec `json:"spec"`
}

func historyKey(id string, generation int64) []byte {
	return fmt.Appendf(nil, "%s%s/%020d", historyPrefix, id, generation)
}

// History returns the specs of a container that are kept, the newest first: the present one, and those that it had before.
// A change of what its process should be doing alone makes none. It is desired.ErrContainerNotFound where there is no
// such container.
func (s *Store) History(id string) (versions []Version, err error) {
	err = s.View(func(tx *Tx) error {
		versions, err = tx.history(id)
		return err
	})
	return versions, err
}

func (tx *Tx) history(id string) ([]Version, error) {
	c, err := tx.Container(id)
	if err != nil {
		return nil, err
	}
	began, at := begins(c)
	versions := []Version{{Generation: began[len(began)-1], At: at, Spec: c.Spec}}
	for _, generation := range slices.Backward(began[:len(began)-1]) {
		data, err := tx.Get(historyKey(id, generation))
		if errors.Is(err, kv.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		record, err := decodeHistory(data)
		if err != nil {
			return nil, fmt.Errorf("decode generation %d of container %q: %w", generation, id, err)
		}
		versions = append(versions, Version{Generation: generation, At: record.At, Spec: record.Spec})
	}
	return versions, nil
}

// begins returns the generations with which the specs of a container began, and when the present one did. Of a
// container from before there was a history only the present generation is known.
func begins(c desired.Container) ([]int64, time.Time) {
	if len(c.Specs) == 0 {
		return []int64{c.Generation}, c.UpdatedAt
	}
	return slices.Clone(c.Specs), c.SpecAt
}

// keepSpec keeps the spec of old, in whose place the one of c comes, and drops the oldest.
func (tx *Tx) keepSpec(c *desired.Container, old desired.Container) error {
	began, at := begins(old)
	data, err := encodeHistory(historyRecord{At: at, Spec: old.Spec})
	if err != nil {
		return fmt.Errorf("encode generation %d of container %q: %w", old.Generation, c.InternalID, err)
	}
	if err := tx.Set(historyKey(c.InternalID, began[len(began)-1]), data); err != nil {
		return err
	}
	c.Specs, c.SpecAt = append(began, c.Generation), c.UpdatedAt
	for len(c.Specs) > maxSpecs {
		if err := tx.Delete(historyKey(c.InternalID, c.Specs[0])); err != nil {
			return err
		}
		c.Specs = c.Specs[1:]
	}
	return nil
}

// forgetSpecs removes what is kept of a container.
func (tx *Tx) forgetSpecs(c desired.Container) error {
	for _, generation := range c.Specs {
		if err := tx.Delete(historyKey(c.InternalID, generation)); err != nil {
			return err
		}
	}
	return nil
}

func encodeHistory(record historyRecord) ([]byte, error) {
	text, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return pack(text)
}

func pack(text []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	return packed.Bytes(), err
}

func decodeHistory(data []byte) (record historyRecord, err error) {
	record.Spec.QuotaExceeded, record.Spec.ImagePull = desired.QuotaTell, desired.ImagePullMissing // as in decodeContainer
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxHistoryRecord))
	if err == nil {
		err = json.Unmarshal(text, &record)
	}
	return record, err
}
