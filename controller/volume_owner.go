package controller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed"
	"lightd/observed/journal"
)

// chownTimeout bounds how long a start is held up by a volume that is given to its user. A stop and a deletion
// end it at once. The start is tried again: it begins at the top, and passes over what was given.
const chownTimeout = 2 * time.Minute

var (
	errChownTimeout = errors.New("it takes longer than " + chownTimeout.String() + ", or waits for other volumes; " +
		"the next start begins it again, and passes over the files that are given already")
	errSuperseded = errors.New("the container is to run no longer")
)

// chownVolume gives the volume to the user that the spec names by number, of the server or of the install
// script, where its directory is somebody else's: once, as what the program makes afterwards is its own. Root
// writes anyway, a name is known to the image alone, and a volume that a container with another user has too,
// or in which another container runs, stays as it is. Files that cannot be given, by a daemon that is not
// root for instance, end no start.
func (a *execution) chownVolume(ctx context.Context) error {
	user := a.spec.User
	if a.step.Kind == plan.StartInstallScript {
		user = a.spec.Installation().User
	}
	uid, gid, named := desired.NumericUser(user)
	if !named || uid == 0 || a.cfg.ChownVolume == nil || os.Geteuid() != 0 {
		return nil
	}
	root, group, err := a.rootIDs(ctx)
	if err != nil {
		return err
	}
	to := store.Owner{UID: root + uid, GID: -1}
	if gid >= 0 {
		to.GID = group + gid
	}
	var st syscall.Stat_t
	if syscall.Lstat(a.cfg.VolumePath(a.spec.VolumeID), &st) == nil && to.Has(st.Uid, st.Gid) || a.volumeOfOthers() {
		return nil
	}
	if other := a.runningInVolume(); other != "" {
		a.log.Warn("a volume is not given to its user while another container runs in it", "container", a.spec.InternalID,
			"volume", a.spec.VolumeID, "user", user, "other", other)
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(a.preparing, chownTimeout, errChownTimeout)
	defer cancel()
	given, err := a.cfg.ChownVolume(ctx, a.spec.VolumeID, to)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("give volume %s to its user: %w", a.spec.VolumeID, context.Cause(ctx))
	case err != nil:
		a.log.Warn("not all of a volume is its user's", "container", a.spec.InternalID, "volume", a.spec.VolumeID, "error", err)
	case given:
		a.event(journal.VolumeOwnerChanged, fmt.Sprintf("volume %s is given to user %s, after %s", a.spec.VolumeID, user,
			time.Since(a.began).Round(time.Millisecond)))
	}
	return nil
}

// volumeOfOthers reports whether a container with another user has the volume too.
func (a *execution) volumeOfOthers() bool {
	for _, other := range a.cfg.Store.Containers() {
		if other.VolumeID == a.spec.VolumeID && other.InternalID != a.spec.InternalID && other.User != a.spec.User {
			return true
		}
	}
	return false
}

// runningInVolume returns the id of another container that runs with the volume mounted, its install script
// included; empty for none.
func (a *execution) runningInVolume() string {
	path := a.cfg.VolumePath(a.spec.VolumeID)
	for _, id := range a.cfg.Cache.IDs() {
		seen := a.cfg.Cache.Get(id)
		for _, c := range []*observed.Container{seen.Run, seen.Install} {
			if id == a.spec.InternalID || !c.Running() {
				continue
			}
			if slices.ContainsFunc(c.Mounts, func(m observed.Mount) bool { return m.Source == path }) {
				return id
			}
		}
	}
	return ""
}

// rootIDs are the ids on the engine's host that the user and the group 0 of containers have, as of an answer.
type rootIDs struct {
	uid, gid int
	at       time.Time
}

// rootIDs asks the engine once, and again when its events were lost: it maps users otherwise only after a restart.
func (a *execution) rootIDs(ctx context.Context) (uid, gid int, err error) {
	if known := a.roots.Load(); known != nil && known.at.After(a.seen.EngineLost) {
		return known.uid, known.gid, nil
	}
	at := time.Now()
	if uid, gid, err = a.cfg.Engine.RootIDs(ctx); err == nil {
		a.roots.Store(&rootIDs{uid, gid, at})
	}
	return uid, gid, err
}
