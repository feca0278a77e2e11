package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"lightd/desired"
	"lightd/desired/kv"
)

// Create makes a volume with a new id.
func (v *Volumes) Create(ctx context.Context, by Creator) (Volume, error) {
	made, _, err := v.make(ctx, VolumeRequest{ID: kv.NewUUID()}, by, false)
	return made, err
}

// Ensure makes a volume with a chosen id. One that is there, and exists for the creator, is kept where keep
// is true, with the quota of the request; else it is ErrVolumeExists.
func (v *Volumes) Ensure(ctx context.Context, want VolumeRequest, by Creator, keep bool) (volume Volume, created bool, err error) {
	if err := v.lockEnsuring(ctx); err != nil {
		return Volume{}, false, fmt.Errorf("create volume %s: %w", want.ID, err)
	}
	defer v.unlockEnsuring()
	volume, action, err := v.make(ctx, want, by, keep)
	return volume, action == desired.Created, err
}

func (v *Volumes) lockEnsuring(ctx context.Context) error {
	select {
	case v.ensuring <- struct{}{}:
		return nil
	case <-ctx.Done():
		return desired.ErrUnavailable
	}
}

func (v *Volumes) unlockEnsuring() { <-v.ensuring }

// TryCreate returns what would keep Create from making a volume.
func (v *Volumes) TryCreate(by Creator) error {
	return v.TryEnsure(VolumeRequest{ID: kv.NewUUID()}, by, false)
}

// TryEnsure returns what would keep Ensure from making or keeping a volume.
func (v *Volumes) TryEnsure(want VolumeRequest, by Creator, keep bool) error {
	if err := v.store.CheckSpace(); err != nil {
		return err
	}
	return v.store.DryRun(func(tx *Tx) error {
		_, _, err := tx.ensureVolume(want, by, keep, true)
		return err
	})
}

// make makes the directory of a volume and then its record, so that no record lacks one.
func (v *Volumes) make(ctx context.Context, want VolumeRequest, by Creator, keep bool) (Volume, desired.Action, error) {
	n, err := v.prepare([]VolumeRequest{want})
	if err != nil {
		return Volume{}, "", err
	}
	var record volumeRecord
	var action desired.Action
	err = v.store.Update(ctx, func(tx *Tx) (err error) {
		record, action, err = tx.ensureVolume(want, by, keep, n.hasDirectory[want.ID])
		return err
	})
	switch err = n.settle(err); {
	case err == nil:
		return v.volume(want.ID, record), action, nil
	case errors.Is(err, desired.ErrQuotaExceeded), errors.Is(err, desired.ErrVolumeExists), errors.Is(err, desired.ErrVolumeQuotaDenied):
		return Volume{}, "", err // it says everything; the id of a volume that there is not says nothing
	}
	return Volume{}, "", fmt.Errorf("create volume %s: %w", want.ID, err)
}

// NewVolumes are volumes that a transaction makes, or keeps.
type NewVolumes struct {
	v     *Volumes
	wants []VolumeRequest
	// hasDirectory are those that have no record yet, but a directory.
	hasDirectory map[string]bool
	dryRun       bool
}

// Prepare makes the directories of those of the volumes that there are not, for a transaction that records
// them. No other volumes of chosen ids are made until Close. A dry run makes none.
func (v *Volumes) Prepare(ctx context.Context, wants []VolumeRequest, dryRun bool) (*NewVolumes, error) {
	if dryRun {
		n := &NewVolumes{v: v, wants: wants, hasDirectory: map[string]bool{}, dryRun: true}
		for _, want := range wants {
			n.hasDirectory[want.ID] = true
		}
		return n, nil
	}
	if err := v.lockEnsuring(ctx); err != nil {
		return nil, fmt.Errorf("create volumes: %w", err)
	}
	n, err := v.prepare(wants)
	if err != nil {
		v.unlockEnsuring()
	}
	return n, err
}

func (v *Volumes) prepare(wants []VolumeRequest) (*NewVolumes, error) {
	if err := v.store.CheckSpace(); err != nil {
		return nil, fmt.Errorf("create volume: %w", err)
	}
	n := &NewVolumes{v: v, wants: wants, hasDirectory: map[string]bool{}}
	for i, want := range wants {
		id := want.ID
		_, err := v.Get(id)
		if err == nil {
			continue
		}
		if errors.Is(err, desired.ErrVolumeNotFound) {
			err = v.makeDirectory(id)
		}
		if err != nil {
			return nil, n.settle(volumeFault(i, len(wants), err))
		}
		n.hasDirectory[id] = true
	}
	return n, nil
}

// volumeFault says which of several volumes an error is about.
func volumeFault(i, of int, err error) error {
	if of == 1 {
		return err
	}
	return desired.AtField(fmt.Sprintf("volumes[%d].volume_id", i), err)
}

// Ensure records the volumes in a transaction, and returns what that did with each.
func (n *NewVolumes) Ensure(tx *Tx, by Creator) (actions []desired.Action, err error) {
	for i, want := range n.wants {
		_, action, err := tx.ensureVolume(want, by, true, n.hasDirectory[want.ID])
		if err != nil {
			field := "volume_id"
			if errors.Is(err, desired.ErrVolumeQuotaDenied) {
				field = "quota_bytes"
			}
			return nil, desired.AtField(fmt.Sprintf("volumes[%d].%s", i, field), err)
		}
		actions = append(actions, action)
	}
	return actions, nil
}

// Close ends what Prepare began. err is that of the transaction.
func (n *NewVolumes) Close(err error) error {
	if n.dryRun {
		return err
	}
	defer n.v.unlockEnsuring()
	return n.settle(err)
}

// settle makes quotas known that were recorded, or removes the directories of volumes that were not. Where they may have been, an empty
// directory too many is the lesser evil, and so it is where one may be that of a volume that exists.
func (n *NewVolumes) settle(err error) error {
	for _, want := range n.wants {
		if err == nil && want.Quota != nil {
			n.v.quotas.Notify(want.ID)
		}
	}
	if err == nil || errors.Is(err, desired.ErrUnavailable) || errors.Is(err, desired.ErrVolumeExists) {
		return err
	}
	for id := range n.hasDirectory {
		if failed := n.v.root.Remove(id); failed != nil && !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// makeDirectory makes the directory of a volume that has no record, or takes an empty one: what a creation
// that was cut off has left. Files in it belong to somebody, whom no record names.
func (v *Volumes) makeDirectory(id string) error {
	err := v.root.Mkdir(id, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return v.checkEmpty(id)
	}
	if err != nil {
		return fmt.Errorf("create directory of volume %s: %w", id, err)
	}
	// Mkdir's mode is cut by the umask.
	if err := v.root.Chmod(id, 0o777); err != nil {
		return errors.Join(fmt.Errorf("open volume %s to its users: %w", id, err), v.root.Remove(id))
	}
	return nil
}

func (v *Volumes) checkEmpty(id string) error {
	taken := fmt.Errorf("%w: there is a directory %q without a record, and it is not empty", desired.ErrVolumeExists, id)
	if info, err := v.root.Lstat(id); err != nil || !info.IsDir() {
		return taken
	}
	dir, err := v.root.OpenFile(id, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open directory of volume %s: %w", id, err)
	}
	defer dir.Close()
	if _, err := dir.ReadDir(1); !errors.Is(err, io.EOF) {
		return taken
	}
	return dir.Chmod(0o777)
}

// ensureVolume records a volume that has a directory, or returns the one that is there.
func (tx *Tx) ensureVolume(want VolumeRequest, by Creator, keep, hasDirectory bool) (record volumeRecord, action desired.Action, err error) {
	id := want.ID
	taken := fmt.Errorf("%w: %q", desired.ErrVolumeExists, id)
	record, err = tx.volume(id)
	switch {
	case err == nil && keep:
		visible, err := tx.volumeVisible(id, record, by)
		if err == nil && !visible {
			err = taken
		}
		if err != nil {
			return record, "", err
		}
		return tx.keepVolume(want, record, by)
	case err == nil:
		return record, "", taken
	case !errors.Is(err, desired.ErrVolumeNotFound):
		return record, "", err
	}
	switch _, err := tx.Get(volumeKey(id)); {
	case err == nil || errors.Is(err, kv.ErrNotFound) && !hasDirectory: // it is being deleted
		return record, "", taken
	case !errors.Is(err, kv.ErrNotFound):
		return record, "", err
	}
	if err := tx.checkVolumes(by); err != nil {
		return record, "", err
	}
	record = volumeRecord{CreatedAt: tx.Now(), Creator: by.Token}
	if _, err := record.requestQuota(want.Quota, by); err != nil {
		return record, "", err
	}
	return record, desired.Created, tx.putVolume(id, record)
}

// keepVolume gives a volume that is there the quota of a request.
func (tx *Tx) keepVolume(want VolumeRequest, record volumeRecord, by Creator) (volumeRecord, desired.Action, error) {
	changed, err := record.requestQuota(want.Quota, by)
	if err != nil || !changed {
		return record, desired.Unchanged, err
	}
	return record, desired.Updated, tx.putVolume(want.ID, record)
}

// volumeVisible reports whether a volume exists for its would-be creator.
func (tx *Tx) volumeVisible(id string, record volumeRecord, by Creator) (bool, error) {
	if !by.Bound || record.Creator == by.Token {
		return true, nil
	}
	all, err := tx.Containers()
	if err != nil {
		return false, err
	}
	for _, c := range all {
		if c.VolumeID == id && by.Allows(c) {
			return true, nil
		}
	}
	return false, nil
}
