package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/projectquota"
	"lightd/desired/subscribe"
	"lightd/desired/trash"
)

// Volume is a directory that outlives the containers that use it.
type Volume struct {
	ID        string
	Path      string
	CreatedAt time.Time
	// Creator is the id of the token that made it; empty where the operator did, or an earlier version.
	Creator string
	// Size is what its files had in bytes when they were last measured since the daemon began, and Used what they
	// took of the disk; nil before.
	Size, Used *int64
	// Quota bounds Used; 0 is none.
	Quota int64
}

// Creator is who makes a volume; the zero value is the operator.
type Creator struct {
	// Token is the id of a token.
	Token string
	// MaxVolumes, unless nil, is the most that there may be of volumes that the token has made or that
	// containers name for which Allows is true.
	MaxVolumes *int
	Allows     func(desired.Container) bool
	// Bound reports that no other volumes than these exist for the token.
	Bound bool
}

// volumeRecord is what is stored of a volume.
type volumeRecord struct {
	CreatedAt time.Time `json:"created_at"`
	Creator   string    `json:"creator,omitempty"`
	// Quota is in bytes; 0 is none. Project is the one of the kernel's project quotas that its files have had, 0
	// before the first.
	Quota   int64  `json:"quota_bytes,omitempty"`
	Project uint32 `json:"project,omitempty"`
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
	trash *trash.Trash
	// ensuring holds a value while volumes of chosen ids are made: two requests can be for the same one.
	ensuring chan struct{}

	// chowns and measurements bound the walks through volumes: those that give them to an owner, and others.
	chowns, measurements *volumeSlots

	// projects is where the kernel enforces quotas; nil where it does not.
	projects *projectquota.FileSystem
	// quotas is notified of each volume whose quota may have changed.
	quotas subscribe.Funcs[string]

	mu     sync.Mutex
	sizes  map[string]VolumeSize // guarded by mu: the last measurements
	marked map[string]uint32     // guarded by mu: the projects that all files of a volume are in
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
	bin, err := trash.Open(root, s.log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open volumes directory %s: %w", dir, err), root.Close())
	}
	v := &Volumes{store: s, path: dir, root: root, trash: bin, ensuring: make(chan struct{}, 1),
		chowns: newVolumeSlots(maxChowns), measurements: newVolumeSlots(maxMeasurements), sizes: map[string]VolumeSize{}, marked: map[string]uint32{}}
	if err := v.openProjects(); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	if err := v.finishRemovals(ctx); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// Close ends removals under way, which the next opening continues, and releases the directory.
func (v *Volumes) Close() error {
	return errors.Join(v.trash.Close(), v.projects.Close(), v.root.Close())
}

// Path returns where the volume of that id is.
func (v *Volumes) Path(id string) string { return filepath.Join(v.path, id) }

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

// Delete removes a volume, and its data in the background, or returns ErrVolumeNotFound, or ErrVolumeInUse
// while the spec of a container names it. From the record's mark on the removal is
// certain, and an error means only that it will be finished later.
func (v *Volumes) Delete(ctx context.Context, id string) error {
	if err := v.store.Update(ctx, func(tx *Tx) error { return tx.markVolumeDeleting(id) }); err != nil {
		return err
	}
	v.quotas.Notify(id)
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

// remove moves the directory of a volume marked Deleting to the trash, and then removes its record.
func (v *Volumes) remove(ctx context.Context, id string) error {
	if err := v.trash.Move(id); err != nil {
		return fmt.Errorf("remove data of volume %s: %w", id, err)
	}
	v.forgetSize(id)
	v.endLimit(id)
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

func (v *Volumes) volume(id string, record volumeRecord) Volume {
	volume := Volume{ID: id, Path: v.Path(id), CreatedAt: record.CreatedAt, Creator: record.Creator, Quota: record.Quota}
	if size, measured := v.LastSize(id); measured {
		volume.Size, volume.Used = &size.Bytes, &size.Used
	}
	return volume
}

func (v *Volumes) each(fn func(id string, record volumeRecord)) error {
	return v.store.View(func(tx *Tx) error { return tx.eachVolume(fn) })
}

func (tx *Tx) eachVolume(fn func(id string, record volumeRecord)) error {
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

// HasMadeVolume reports whether the token of an id has made a volume that is not being deleted.
func (tx *Tx) HasMadeVolume(token, id string) (bool, error) {
	record, err := tx.volume(id)
	if errors.Is(err, desired.ErrVolumeNotFound) {
		return false, nil
	}
	return err == nil && token != "" && record.Creator == token, err
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
