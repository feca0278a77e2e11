package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"lightd/desired"
	"lightd/observed/files"
)

// fileReserve is what the disk has when it ceases to be low: files leave the daemon's own writes alone.
const fileReserve = 256 << 20

// openFiles makes what reads and changes the files of volumes, and removes what a daemon that was killed has left
// in them.
func (d *daemon) openFiles(ctx context.Context) (*files.Trees, error) {
	owner := &fileOwner{
		containers: d.store.Containers, rootIDs: d.engine.RootIDs, userOf: func(image string) string { return d.images.Known(image).User },
	}
	trees := &files.Trees{
		Volumes: d.volumes, Reserve: fileReserve, Owner: owner.of, Room: d.quotas,
	}
	all, err := d.volumes.List()
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		if err := trees.Clear(ctx, v.ID); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.log.Warn("what a former daemon has left in a volume is not removed", "volume", v.ID, "error", err)
		}
	}
	return trees, nil
}

// fileOwner finds whose the files of volumes are, as those of the programs that run on them.
type fileOwner struct {
	containers func() []desired.Container
	// userOf returns the user that an image names, as far as it was inspected.
	userOf func(image string) string
	// rootIDs returns the user and the group that root of a container is on the host.
	rootIDs func(context.Context) (uid, gid int, err error)

	mu               sync.Mutex
	tried            time.Time // guarded by mu, as what follows is
	known            bool
	rootUID, rootGID int
}

// of returns the user that the specs of a volume's containers, or else their images, name by number. Where they name none, or
// another one each, it is the root of containers if the engine maps users, and else not known: as it is in the
// directory.
func (o *fileOwner) of(ctx context.Context, volume string) files.Owner {
	if os.Geteuid() != 0 {
		return files.Unknown
	}
	root, group, known := o.root(ctx)
	if !known {
		return files.Unknown // whoever owns the directory: the first start of a container has given it to its user
	}
	found, users := files.Unknown, map[string]bool{}
	for _, c := range o.containers() {
		if c.VolumeID != volume {
			continue
		}
		user := cmp.Or(c.User, o.userOf(c.Image))
		users[user] = true
		if uid, gid, numeric := desired.NumericUser(user); numeric {
			found = files.Owner{UID: root + uid, GID: -1}
			if gid >= 0 {
				found.GID = group + gid
			}
		}
	}
	if len(users) == 1 && found != files.Unknown {
		return found
	}
	if root != 0 {
		return files.Owner{UID: root, GID: group}
	}
	return files.Unknown
}

// root asks the engine for the ids of root in a container, until it has answered once.
func (o *fileOwner) root(ctx context.Context) (uid, gid int, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.known && time.Since(o.tried) > mappedRetry {
		o.tried = time.Now()
		ctx, cancel := context.WithTimeout(ctx, engineMoment)
		defer cancel()
		if uid, gid, err := o.rootIDs(ctx); err == nil {
			o.known, o.rootUID, o.rootGID = true, uid, gid
		}
	}
	return o.rootUID, o.rootGID, o.known
}
