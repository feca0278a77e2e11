package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
)

// Volume is a directory that outlives the containers that use it.
type Volume struct {
	ID        string
	Path      string
	CreatedAt time.Time
}

// volumeRecord is what is stored of a volume.
type volumeRecord struct {
	CreatedAt time.Time `json:"created_at"`
	// Deleting is set before the directory is removed; such a volume does not exist
	// for anybody else, and its removal is finished at the next opening if need be.
	Deleting bool `json:"deleting,omitempty"`
}

const volumePrefix = "v/"

func volumeKey(id string) []byte { return []byte(volumePrefix + id) }

// Volumes keeps the directories of volumes in step with their records. Directories
// are writable for every user of every container, so what is in them is hostile: all
// work on them goes through an os.Root, which no link leads out of.
type Volumes struct {
	store *Store
	path  string
	root  *os.Root
}

// Volumes opens the directory of volumes, which it creates when it is not there, and
// finishes removals that were cut off. The caller must Close it.
func (s *Store) Volumes(ctx context.Context, dir string) (*Volumes, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open volumes: %w", err)
	}
	// 0711 lets the users of containers through to their own volume, and no further.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("create volumes directory %s: %w", dir, err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, fmt.Errorf("open volumes directory %s: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open volumes directory %s: %w", dir, err)
	}
	v := &Volumes{store: s, path: dir, root: root}
	if err := v.finishRemovals(ctx); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return v, nil
}

// Close releases the directory.
func (v *Volumes) Close() error { return v.root.Close() }

// Path returns where the volume of that id is.
func (v *Volumes) Path(id string) string { return filepath.Join(v.path, id) }

// Create makes a volume: first its directory, so that no record lacks one.
func (v *Volumes) Create(ctx context.Context) (Volume, error) {
	id := kv.NewUUID()
	if err := v.store.CheckSpace(); err != nil {
		return Volume{}, fmt.Errorf("create volume: %w", err)
	}
	if err := v.root.Mkdir(id, 0o777); err != nil {
		return Volume{}, fmt.Errorf("create directory of volume %s: %w", id, err)
	}
	// Mkdir's mode is cut by the umask.
	if err := v.root.Chmod(id, 0o777); err != nil {
		return Volume{}, errors.Join(fmt.Errorf("open volume %s to its users: %w", id, err), v.root.Remove(id))
	}
	var record volumeRecord
	err := v.store.Update(ctx, func(tx *Tx) error {
		record.CreatedAt = tx.Now()
		return tx.putVolume(id, record)
	})
	switch {
	case errors.Is(err, desired.ErrUnavailable):
		// The record may be there: an empty directory too many is the lesser evil.
		return Volume{}, fmt.Errorf("create volume %s: %w", id, err)
	case err != nil:
		return Volume{}, errors.Join(fmt.Errorf("create volume %s: %w", id, err), v.root.Remove(id))
	}
	return v.volume(id, record), nil
}

// TryCreate returns what would keep Create from making a volume.
func (v *Volumes) TryCreate() error { return v.store.CheckSpace() }

// Get returns the volume of that id, or ErrVolumeNotFound.
func (v *Volumes) Get(id string) (Volume, error) {
	var out Volume
	err := v.store.View(func(tx *Tx) error {
		record, err := tx.volume(id)
		if err != nil {
			return err
		}
		out = v.volume(id, record)
		return nil
	})
	return out, err
}

// List returns all volumes, sorted by id.
func (v *Volumes) List() ([]Volume, error) {
	out := []Volume{}
	err := v.each(func(id string, record volumeRecord) {
		if !record.Deleting {
			out = append(out, v.volume(id, record))
		}
	})
	return out, err
}

// Users returns the ids of the containers whose spec names the volume, sorted.
func (v *Volumes) Users(id string) []string {
	out := []string{}
	for _, c := range v.store.Containers() {
		if c.VolumeID == id {
			out = append(out, c.InternalID)
		}
	}
	return out
}

// Delete removes a volume and its data, or returns ErrVolumeNotFound, or ErrVolumeInUse
// while the spec of a container names it. From the record's mark on the removal is
// certain, and an error means only that it will be finished later.
func (v *Volumes) Delete(ctx context.Context, id string) error {
	if err := v.store.Update(ctx, func(tx *Tx) error { return tx.markVolumeDeleting(id) }); err != nil {
		return err
	}
	return v.remove(ctx, id)
}

// TryDelete returns what would keep Delete from removing a volume.
func (v *Volumes) TryDelete(id string) error {
	return v.store.DryRun(func(tx *Tx) error { return tx.markVolumeDeleting(id) })
}

// markVolumeDeleting marks a volume that no container names.
func (tx *Tx) markVolumeDeleting(id string) error {
	record, err := tx.volume(id)
	if err != nil {
		return err
	}
	all, err := tx.Containers()
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.VolumeID == id {
			return fmt.Errorf("%w by container %s", desired.ErrVolumeInUse, c.InternalID)
		}
	}
	record.Deleting = true
	return tx.putVolume(id, record)
}

// remove removes the directory and then the record of a volume marked Deleting.
func (v *Volumes) remove(ctx context.Context, id string) error {
	if err := v.root.RemoveAll(id); err != nil {
		return fmt.Errorf("remove data of volume %s: %w", id, err)
	}
	return v.store.Update(ctx, func(tx *Tx) error { return tx.Delete(volumeKey(id)) })
}

func (v *Volumes) finishRemovals(ctx context.Context) error {
	var ids []string
	err := v.each(func(id string, record volumeRecord) {
		if record.Deleting {
			ids = append(ids, id)
		}
	})
	if err != nil {
		return fmt.Errorf("read volumes: %w", err)
	}
	for _, id := range ids {
		// One directory that cannot be removed must not keep the daemon from starting.
		if err := v.remove(ctx, id); err != nil {
			v.store.log.Warn("finish the removal of a volume", "volume", id, "error", err)
		}
	}
	return nil
}

// Size adds up the files of a volume, in bytes. It follows no links, opens no file, and
// ends with ctx.
func (v *Volumes) Size(ctx context.Context, id string) (int64, error) {
	if _, err := v.Get(id); err != nil {
		return 0, err
	}
	dir, err := v.root.OpenRoot(id)
	if err != nil {
		return 0, fmt.Errorf("open volume %s: %w", id, err)
	}
	defer dir.Close()
	var size int64
	err = fs.WalkDir(dir.FS(), ".", func(_ string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Files come and go under a running container.
		if err != nil {
			return nil
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measure volume %s: %w", id, err)
	}
	return size, nil
}

func (v *Volumes) volume(id string, record volumeRecord) Volume {
	return Volume{ID: id, Path: v.Path(id), CreatedAt: record.CreatedAt}
}

func (v *Volumes) each(fn func(id string, record volumeRecord)) error {
	return v.store.View(func(tx *Tx) error {
		var bad error
		err := tx.Scan([]byte(volumePrefix), nil, func(k, data []byte) bool {
			var record volumeRecord
			id := string(k[len(volumePrefix):])
			if record, bad = decodeVolume(id, data); bad != nil {
				return false
			}
			fn(id, record)
			return true
		})
		return errors.Join(err, bad)
	})
}

func decodeVolume(id string, data []byte) (volumeRecord, error) {
	var record volumeRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return record, fmt.Errorf("decode volume %s: %w", id, err)
	}
	return record, nil
}

// volume returns the record of a volume that is not being deleted.
func (tx *Tx) volume(id string) (volumeRecord, error) {
	if !desired.ValidVolumeID(id) {
		return volumeRecord{}, desired.ErrVolumeNotFound // whatever it is, and however long
	}
	data, err := tx.Get(volumeKey(id))
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return volumeRecord{}, err
	}
	var record volumeRecord
	if err == nil {
		if record, err = decodeVolume(id, data); err != nil {
			return volumeRecord{}, err
		}
	}
	if err != nil || record.Deleting {
		return volumeRecord{}, fmt.Errorf("%w: %q", desired.ErrVolumeNotFound, id)
	}
	return record, nil
}

func (tx *Tx) putVolume(id string, record volumeRecord) error {
	data, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode volume %s: %w", id, err)
	}
	if record.Deleting {
		return tx.SetEssential(volumeKey(id), data)
	}
	return tx.Set(volumeKey(id), data)
}

// requireVolume returns ErrVolumeNotFound unless the volume exists.
func (tx *Tx) requireVolume(id string) error {
	if _, err := tx.volume(id); err != nil {
		return desired.AtField("volume_id", err)
	}
	return nil
}
