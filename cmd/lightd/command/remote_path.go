package command

import (
	"context"
	"errors"
	"fmt"
	slashpath "path"
	"strings"

	"github.com/spf13/cobra"

	"lightd/desired"
	"lightd/httpapi/client"
)

// remotePath is a path of a volume, as in web:logs/latest.log. Its name is that of a volume, or of a container
// that has one.
type remotePath struct{ name, path string }

// parseRemote reads a path of a volume. is is false for a local one: that has no colon, or a slash before it.
func parseRemote(text string) (remote remotePath, is bool) {
	name, rest, found := strings.Cut(text, ":")
	if !found || !desired.ValidID(name) {
		return remotePath{}, false
	}
	return remotePath{name, strings.TrimPrefix(rest, "/")}, true
}

// remoteArg reads an argument that is a path of a volume; without a colon it is the volume itself, if top is true.
func remoteArg(cmd *cobra.Command, text string, top bool) (remotePath, error) {
	remote, is := parseRemote(text)
	if !is && top && desired.ValidID(text) {
		return remotePath{name: text}, nil
	}
	if !is {
		return remote, usagef("%s: %q is no path of a volume, as in web:server.properties", path(cmd), text)
	}
	if !top && slashpath.Clean("/"+remote.path) == "/" {
		return remote, usagef("%s: %q names no file: a path is expected behind the colon", path(cmd), text)
	}
	return remote, nil
}

func (r remotePath) String() string { return r.name + ":" + r.path }

// join is a path below r.
func (r remotePath) join(name string) remotePath {
	return remotePath{r.name, slashpath.Join(r.path, name)}
}

// base is the last name of r; the volume's own at its top.
func (r remotePath) base() string {
	if base := slashpath.Base("/" + r.path); base != "/" {
		return base
	}
	return r.name
}

// volumeOf returns the id of the volume of a name: that of the container, or itself. One that is both, of
// different volumes, is refused.
func (s *session) volumeOf(ctx context.Context, name string) (string, error) {
	found, err := s.Get(ctx, name)
	isVolume := desired.ValidVolumeID(name)
	switch {
	case err == nil && isVolume && found.VolumeID != name:
		if _, err := s.FileJobs(ctx, name); err == nil {
			return "", usagef("%s is a container and a volume, and the container has volume %s: name that", name, found.VolumeID)
		}
		return found.VolumeID, nil
	case err == nil:
		return found.VolumeID, nil
	case isVolume && (errors.Is(err, client.ErrNotFound) || errors.Is(err, client.ErrForbidden)):
		return name, nil
	case errors.Is(err, client.ErrForbidden):
		return "", withSubject(name, fmt.Errorf("the token may not read containers: name the volume by its id"))
	}
	return "", withSubject(name, err)
}

// completeRemote offers containers, and behind a colon what is in the volume.
func (a *app) completeRemote(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	remote, is := parseRemote(toComplete)
	offers, directive := a.offer(cmd, args, func(ctx context.Context, s *session, offer func(id, description string)) error {
		if !is {
			listing, err := s.List(ctx, "")
			for _, c := range listing.Containers {
				offer(c.InternalID+":", "the volume of "+c.InternalID)
			}
			return err
		}
		volume, err := s.volumeOf(ctx, remote.name)
		if err != nil {
			return err
		}
		dir, _ := slashpath.Split(remote.path)
		list, err := s.Files(ctx, volume, dir)
		for _, f := range list.Files {
			name := remote.name + ":" + dir + f.Name
			if f.Type == "directory" {
				name += "/"
			}
			offer(name, f.Type)
		}
		return err
	})
	return offers, directive | cobra.ShellCompDirectiveNoSpace
}
