package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"lightd/desired"
	"lightd/desired/projectquota"
)

// VolumeRequest is a volume as it is to be.
type VolumeRequest struct {
	ID string
	// Quota is in bytes, 0 none; nil leaves it as it is.
	Quota *int64
}

// openProjects finds out whether the kernel enforces quotas where the volumes are.
func (v *Volumes) openProjects() error {
	projects, err := projectquota.Open(v.path)
	var unavailable *projectquota.Unavailable
	if err != nil && !errors.As(err, &unavailable) {
		return err
	}
	v.projects = projects
	return nil
}

// SubscribeQuotas calls fn with the id of each volume whose quota may have changed, or that is deleted, until
// cancel is called. fn must not block.
func (v *Volumes) SubscribeQuotas(fn func(id string)) (cancel func()) { return v.quotas.Add(fn) }

// Quotas returns the quotas of the volumes that have one, in bytes, by id; 0 where one was ended, which the kernel
// may enforce still.
func (v *Volumes) Quotas() (map[string]int64, error) {
	all := map[string]int64{}
	err := v.each(func(id string, record volumeRecord) {
		if !record.Deleting && (record.Quota > 0 || record.Project != 0) {
			all[id] = record.Quota
		}
	})
	return all, err
}

// Quota returns the quota of a volume in bytes; 0 where it has none, or is not there.
func (v *Volumes) Quota(id string) (int64, error) {
	volume, err := v.Get(id)
	if errors.Is(err, desired.ErrVolumeNotFound) {
		return 0, nil
	}
	return volume.Quota, err
}

// Use returns what a volume takes of the disk.
func (v *Volumes) Use(ctx context.Context, id string) (desired.VolumeUse, error) {
	size, err := v.Measure(ctx, id)
	use := desired.VolumeUse{Bytes: size.Used, Enforced: v.projectOf(id) != 0}
	if errors.Is(err, errWalkLimit) {
		use.AtLeast, err = true, nil
	}
	return use, err
}

// projectOf returns the project that all files of a volume are in; 0 where the kernel does not count them.
func (v *Volumes) projectOf(id string) uint32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.marked[id]
}

// counted returns the kernel's count of a volume, if it has one.
func (v *Volumes) counted(id string) (VolumeSize, bool) {
	project := v.projectOf(id)
	if project == 0 {
		return VolumeSize{}, false
	}
	used, _, err := v.projects.Use(project)
	if err != nil {
		v.store.log.Warn("the volume is measured file by file", "volume", id, "error", err)
		return VolumeSize{}, false
	}
	size := VolumeSize{Bytes: used, Used: used, At: time.Now()}
	v.keepSize(id, size)
	return size, true
}

// Enforce has the kernel enforce the quota of a volume where it can, or no longer where that is ended. It walks
// through the volume, whose files get the project that the limit is of, and which may be done again: programs can
// take files of theirs out of it. It is bounded and ends with ctx as Measure does.
func (v *Volumes) Enforce(ctx context.Context, id string) error {
	if v.projects == nil {
		return nil
	}
	leave, err := v.measurements.enter(ctx, id)
	if err != nil {
		return fmt.Errorf("enforce the quota of volume %s: %w", id, err)
	}
	defer leave()
	if err := v.enforce(ctx, id); err != nil {
		return fmt.Errorf("enforce the quota of volume %s: %w", id, err)
	}
	return nil
}

func (v *Volumes) enforce(ctx context.Context, id string) error {
	volume, project, err := v.recordedProject(id)
	if errors.Is(err, desired.ErrVolumeNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if volume.Quota == 0 {
		v.setMarked(id, 0)
		if project == 0 {
			return nil
		}
		return v.projects.Limit(project, 0)
	}
	top, err := v.open(id)
	if err != nil {
		return err
	}
	defer top.Close()
	if elsewhere, err := v.onOtherDisk(top); err != nil || elsewhere {
		return err // it is measured
	}
	if project, err = v.ensureProject(ctx, id, int(top.Fd()), project); err != nil {
		return err
	}
	if err := v.projects.Limit(project, volume.Quota); err != nil {
		return err
	}
	if v.projectOf(id) != project {
		// The kernel refuses to rename a file into a directory of another project, its own too (EXDEV): files come
		// first, so that a program that runs meanwhile is not in its way.
		if err := markAll(ctx, top, project, func(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFREG }); err != nil {
			return err
		}
	}
	if _, err := projectquota.Mark(int(top.Fd()), true, project); err != nil {
		return err
	}
	if err := markAll(ctx, top, project, func(*unix.Stat_t) bool { return true }); err != nil {
		return err
	}
	v.setMarked(id, project)
	return nil
}

// markAll puts what is below a directory into a project. A file that cannot be is an error, the first one, and
// holds nothing up.
func markAll(ctx context.Context, top *os.File, project uint32, of func(*unix.Stat_t) bool) error {
	var failed error
	err := walk(ctx, top, func(dir int, name string, st *unix.Stat_t) {
		if !of(st) {
			return
		}
		if _, err := projectquota.MarkAt(dir, name, st, project); err != nil && failed == nil {
			failed = err
		}
	})
	return errors.Join(err, failed)
}

// onOtherDisk reports whether a volume is on another file system than all: its directory is mounted from somewhere.
func (v *Volumes) onOtherDisk(top *os.File) (bool, error) {
	var volume, all unix.Stat_t
	err := errors.Join(unix.Fstat(int(top.Fd()), &volume), unix.Stat(v.path, &all))
	return volume.Dev != all.Dev, err
}

func (v *Volumes) setMarked(id string, project uint32) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if project == 0 {
		delete(v.marked, id)
	} else {
		v.marked[id] = project
	}
}

func (v *Volumes) recordedProject(id string) (volume Volume, project uint32, err error) {
	err = v.store.View(func(tx *Tx) error {
		record, err := tx.volume(id)
		volume, project = v.volume(id, record), record.Project
		return err
	})
	return volume, project, err
}

// ensureProject returns the project of a volume, whose directory is open, and records a new one where it has none.
// One that is recorded was perhaps so on another file system: unless the directory is in it, nobody else may be.
func (v *Volumes) ensureProject(ctx context.Context, id string, top int, project uint32) (uint32, error) {
	if project != 0 {
		is, err := projectquota.ProjectOf(top)
		if err != nil || is == project {
			return project, err
		}
		used, limit, err := v.projects.Use(project)
		if err != nil || used == 0 && limit == 0 {
			return project, err
		}
	}
	taken := map[uint32]bool{}
	if err := v.each(func(_ string, record volumeRecord) { taken[record.Project] = true }); err != nil {
		return 0, err
	}
	chosen, err := v.projects.Choose(func(project uint32) bool { return taken[project] })
	if err != nil {
		return 0, err
	}
	err = v.store.Update(ctx, func(tx *Tx) error {
		record, err := tx.volume(id)
		if err != nil {
			return err
		}
		record.Project = chosen
		return tx.putVolume(id, record)
	})
	return chosen, err
}

// endLimit ends the limit of a volume that is removed: its project is nobody's once its files are gone.
func (v *Volumes) endLimit(id string) {
	v.setMarked(id, 0)
	if v.projects == nil {
		return
	}
	err := v.store.View(func(tx *Tx) error {
		data, err := tx.Get(volumeKey(id))
		if err != nil {
			return err
		}
		record, err := decodeVolume(id, data)
		if err != nil || record.Project == 0 {
			return err
		}
		return v.projects.Limit(record.Project, 0)
	})
	if err != nil {
		v.store.log.Warn("the project quota of a volume stays", "volume", id, "error", err)
	}
}

// requestQuota gives a record the quota of a request, and reports whether that changes it. A token for some
// containers may not: a quota is the operator's.
func (r *volumeRecord) requestQuota(quota *int64, by Creator) (changed bool, err error) {
	switch {
	case quota == nil || *quota == r.Quota:
		return false, nil
	case by.Bound:
		return false, desired.ErrVolumeQuotaDenied
	}
	r.Quota = *quota
	return true, nil
}
