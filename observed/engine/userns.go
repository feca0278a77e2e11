package engine

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"
)

// RootIDs returns the user and the group on the host that root of a container is: 0, unless
// the engine maps users (userns-remap). It then keeps everything in a directory that is named
// after them.
func (e *Engine) RootIDs(ctx context.Context) (uid, gid int, err error) {
	err = e.call(ctx, e.timeouts.Query, "ask about users of", e.host, func(ctx context.Context, s *session) error {
		info, err := s.Info(ctx)
		if err == nil && slices.Contains(info.SecurityOptions, "name=userns") {
			uid, gid = mappedRoot(info.DockerRootDir)
		}
		return err
	})
	return uid, gid, err
}

// mappedRoot reads the ids off the engine's directory, as in /var/lib/docker/100000.100000.
func mappedRoot(dir string) (uid, gid int) {
	user, group, _ := strings.Cut(path.Base(dir), ".")
	uid, err := strconv.Atoi(user)
	gid, also := strconv.Atoi(group)
	if err != nil || also != nil || uid < 0 || gid < 0 {
		return 0, 0
	}
	return uid, gid
}
