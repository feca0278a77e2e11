package store

import (
	"cmp"
	"context"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Owner is a user and a group of the host; a group of -1 is any.
type Owner struct{ UID, GID int }

// Has reports whether a file is the owner's.
func (o Owner) Has(uid, gid uint32) bool {
	return int(uid) == o.UID && (o.GID < 0 || int(gid) == o.GID)
}

// maxChowns bounds how many volumes are given to owners at once.
const maxChowns = 2

// Chown gives a volume with all that is in it to an owner, unless its directory is theirs already: given
// is false then. It follows no links, and leaves alone other file systems that are mounted in it. The
// directory itself comes last, so that one that was cut off is started over, and passes over what is the owner's
// by then. An error of a file is returned, the first one, and holds nothing up. Each volume is given once at a
// time, and maxChowns of all are; the others wait until ctx ends.
func (v *Volumes) Chown(ctx context.Context, id string, to Owner) (given bool, err error) {
	if given, err := v.ownedBy(id, to); given || err != nil {
		return false, err
	}
	end, err := v.chowns.enter(ctx, id)
	if err != nil {
		return false, fmt.Errorf("give volume %s to user %d: %w", id, to.UID, err)
	}
	defer end()
	if given, err := v.ownedBy(id, to); given || err != nil {
		return false, err // by the one before
	}
	if err := v.chownAll(ctx, id, to); err != nil {
		return false, fmt.Errorf("give volume %s to user %d: %w", id, to.UID, err)
	}
	return true, nil
}

// ownedBy reports whether the directory of a volume is an owner's.
func (v *Volumes) ownedBy(id string, owner Owner) (bool, error) {
	info, err := v.root.Lstat(id)
	if err != nil {
		return false, fmt.Errorf("find the owner of volume %s: %w", id, err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return owner.Has(st.Uid, st.Gid), nil
}

// chownAll gives all that is in a volume to an owner, and its directory at the end.
func (v *Volumes) chownAll(ctx context.Context, id string, to Owner) error {
	top, err := v.open(id)
	if err != nil {
		return err
	}
	defer top.Close()
	var failed error
	err = walk(ctx, top, func(dir int, name string, st *unix.Stat_t) {
		if to.Has(st.Uid, st.Gid) {
			return
		}
		if err := unix.Fchownat(dir, name, to.UID, to.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", name, err)
		}
	})
	if err == nil {
		err = top.Chown(to.UID, to.GID)
	}
	if err == nil {
		err = failed
	}
	return err
}

// Handover is what is given to an owner: what From has made or changed in a volume after Since, by the time of the
// last change of an inode, which an archive does not carry along.
type Handover struct {
	From, To Owner
	Since    time.Time
}

// HandOver gives what h says to an owner. The volume's own directory goes with it where nothing older is in it. Links
// are not followed, other file systems not entered. It may be repeated, waits as Chown does, and returns
// the first error of a file, which holds nothing up.
func (v *Volumes) HandOver(ctx context.Context, id string, h Handover) error {
	end, err := v.chowns.enter(ctx, id)
	if err == nil {
		err = v.handOver(ctx, id, h)
		end()
	}
	if err != nil {
		return fmt.Errorf("give what was installed in volume %s to user %d: %w", id, h.To.UID, err)
	}
	return nil
}

func (v *Volumes) handOver(ctx context.Context, id string, h Handover) error {
	top, err := v.open(id)
	if err != nil {
		return err
	}
	defer top.Close()
	var at unix.Stat_t
	if err := unix.Fstat(int(top.Fd()), &at); err != nil {
		return err
	}
	older, failed := false, error(nil)
	err = walk(ctx, top, func(dir int, name string, st *unix.Stat_t) {
		if !time.Unix(st.Ctim.Unix()).After(h.Since) {
			older = older || inDirectory(dir, &at)
			return
		}
		if !h.From.Has(st.Uid, st.Gid) {
			return
		}
		if err := unix.Fchownat(dir, name, h.To.UID, h.To.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", name, err)
		}
	})
	if err == nil && !older && h.From.Has(at.Uid, at.Gid) {
		err = top.Chown(h.To.UID, h.To.GID)
	}
	return cmp.Or(err, failed)
}

// inDirectory reports whether a descriptor is of the directory that is.
func inDirectory(dir int, is *unix.Stat_t) bool {
	var st unix.Stat_t
	return unix.Fstat(dir, &st) == nil && fileIDOf(&st) == fileIDOf(is)
}
