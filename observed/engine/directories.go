package engine

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Directories returns the places of the engine's host that the engine keeps to itself, as far as it
// shows them: its own directory, with the one above where it maps users, and the socket of its containerd. Calls at the
// same time share an answer.
func (e *Engine) Directories(ctx context.Context) ([]string, error) {
	places, err := e.places.do(ctx, e.readDirectories)
	return slices.Clone(places), err
}

func (e *Engine) readDirectories(ctx context.Context) (places []string, err error) {
	err = e.call(ctx, e.timeouts.Query, "inspect directories of", e.host, func(ctx context.Context, s *session) error {
		info, err := s.Info(ctx)
		if err != nil {
			return err
		}
		containerd := ""
		if info.Containerd != nil {
			containerd = info.Containerd.Address
		}
		places = directories(info.DockerRootDir, containerd)
		return nil
	})
	return places, err
}

// directories returns what is closed for an engine with a root directory and the address of its
// containerd. A containerd keeps its state beside the socket; one that the engine runs itself has a
// directory in the engine's --exec-root, whose name is "docker" or like it.
func directories(root, containerd string) (places []string) {
	if filepath.IsAbs(root) {
		root = path.Clean(root)
		places = append(places, root)
		if uid, gid := mappedRoot(root); uid != 0 || gid != 0 {
			places = append(places, path.Dir(root))
		}
	}
	containerd = strings.TrimPrefix(containerd, "unix://")
	if !filepath.IsAbs(containerd) {
		return places
	}
	closed := path.Clean(containerd)
	if dir := path.Dir(closed); path.Base(dir) == "containerd" {
		closed = dir
		if above := path.Dir(dir); strings.Contains(path.Base(above), "docker") {
			closed = above
		}
	}
	return append(places, closed)
}
