package controller

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed/engine"
)

// accountsFile bounds the lists of users and groups of an image, in bytes.
const accountsFile = 1 << 20

// startHandsOver reports whether the files of an installation are given to the user of the server by its first start: a
// name, which the image of the installer may not know.
func (a *execution) startHandsOver() bool {
	owner := cmp.Or(a.spec.User, a.cfg.Images.Known(a.spec.Image).User)
	name, _, _ := strings.Cut(owner, ":")
	_, _, numeric := desired.NumericUser(owner)
	return a.st.Install.Separate && a.cfg.HandOverVolume != nil && !numeric && name != "" && name != "root"
}

// handOver gives what the install script of another image has left as root in the volume to the user of the server,
// at its first start: only the server's image knows that user, where it is a name. It is done once. An engine
// that is away is tried again; what cannot be given otherwise is logged, and ends no start.
func (a *execution) handOver(ctx context.Context) error {
	if a.step.Kind != plan.StartContainer || !a.st.Install.Separate || a.cfg.HandOverVolume == nil {
		return nil
	}
	id := a.spec.InternalID
	since, err := a.cfg.Data.InstallBegan(id)
	if err != nil {
		return nil // it was done, or the check of the directories says why not
	}
	uid, gid, err := a.serverUser(ctx)
	if engine.Classify(err) == engine.Unavailable {
		return err
	}
	if err == nil && uid != 0 && os.Geteuid() == 0 {
		err = a.handOverTo(ctx, store.Handover{To: store.Owner{UID: uid, GID: gid}, Since: since})
		if a.preparing.Err() != nil {
			return err
		}
	}
	if err != nil {
		a.log.Warn("not all that was installed is the user's of the server", "container", id, "volume", a.spec.VolumeID, "error", err)
	}
	return a.cfg.Data.ClearInstaller(id, true)
}

// handOverTo hands over with the ids of h as they are on the host.
func (a *execution) handOverTo(ctx context.Context, h store.Handover) error {
	root, group, err := a.rootIDs(ctx)
	if err != nil {
		return err
	}
	h.From, h.To.UID, h.To.GID = store.Owner{UID: root, GID: -1}, h.To.UID+root, h.To.GID+group
	ctx, cancel := context.WithTimeoutCause(a.preparing, chownTimeout, errChownTimeout)
	defer cancel()
	return a.cfg.HandOverVolume(ctx, a.spec.VolumeID, h)
}

// serverUser returns the ids, in the container, of the user that the server runs as. A name is looked up in the
// lists of its file system.
func (a *execution) serverUser(ctx context.Context) (uid, gid int, err error) {
	user := a.seen.Run.User
	if uid, gid, ok := desired.NumericUser(user); ok && gid >= 0 {
		return uid, gid, nil
	}
	if name, _, _ := strings.Cut(user, ":"); name == "" || name == "root" || name == "0" {
		return 0, 0, nil
	}
	users, err := a.cfg.Engine.ReadFile(ctx, a.step.Target, "/etc/passwd", accountsFile)
	if err != nil && engine.Classify(err) != engine.NotFound {
		return 0, 0, err
	}
	groups, err := a.cfg.Engine.ReadFile(ctx, a.step.Target, "/etc/group", accountsFile)
	if err != nil && engine.Classify(err) != engine.NotFound {
		return 0, 0, err
	}
	return lookUpUser(user, string(users), string(groups))
}

// errUnknownUser answers for a name that the lists do not have.
var errUnknownUser = errors.New("the image does not know the user of the server")

// lookUpUser finds a user, as in a spec, in lists as in passwd(5) and group(5): as the engine does, a uid without an
// entry has the group 0.
func lookUpUser(user, users, groups string) (uid, gid int, err error) {
	name, group, grouped := strings.Cut(user, ":")
	entry, found := account(users, name)
	uid, numberErr := strconv.Atoi(name)
	if found && len(entry) > 3 {
		if uid, err = strconv.Atoi(entry[2]); err != nil {
			return 0, 0, errUnknownUser
		}
		gid, numberErr = strconv.Atoi(entry[3])
	}
	if grouped {
		if entry, found := account(groups, group); found {
			group = entry[2]
		}
		gid, numberErr = strconv.Atoi(group)
	}
	if numberErr != nil || uid < 0 || gid < 0 {
		return 0, 0, errUnknownUser
	}
	return uid, gid, nil
}

// account returns the fields of the entry of a name or a number.
func account(list, name string) (fields []string, found bool) {
	for line := range strings.Lines(list) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(fields) > 2 && (fields[0] == name || fields[2] == name) {
			return fields, true
		}
	}
	return nil, false
}
