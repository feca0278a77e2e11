package controller

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lightd/desired"
	"lightd/desired/mountsource"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/status"
)

// hostPaths is what this host has for a container.
func (e *executor) hostPaths(s desired.Spec) blueprint.HostPaths {
	return blueprint.HostPaths{
		Instance: e.cfg.Engine.Instance(), Volume: e.cfg.VolumePath(s.VolumeID), Data: e.cfg.Data.Path(s.InternalID),
		ImageVolumes: e.cfg.Data.ImageVolumes(s.InternalID), Log: e.logFiles(),
		Capabilities: e.cfg.Capabilities, Network: e.cfg.Network.Name,
	}
}

// logFiles is how Docker keeps the output of a container that is made now.
func (e *executor) logFiles() observed.Log {
	if logs := e.logs.Load(); logs != nil {
		return *logs
	}
	return e.cfg.Logs
}

// hostPathsOf is hostPaths as a container has them: where two paths lead to one directory, that
// of the container counts. One that leads elsewhere was left behind when the data directory
// was renamed, or copied.
func (e *executor) hostPathsOf(s desired.Spec, run *observed.Container) blueprint.HostPaths {
	at := e.hostPaths(s)
	if run == nil {
		return at
	}
	ours := map[string]*string{blueprint.Home: &at.Volume, blueprint.Data: &at.Data}
	for _, m := range run.Mounts {
		if path := ours[m.Target]; path != nil && *path != m.Source && sameFile(*path, m.Source) {
			*path = m.Source
		}
	}
	return at
}

// sameFile reports whether two paths lead to one file, by a link for instance.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// checkHostPaths inspects every path of the host that Docker resolves for a container. Docker
// resolves them at its creation and at each of its starts, and the host can change in between:
// whatever makes Docker do so comes after this check. The error is a blocked one, or the engine's.
func (e *executor) checkHostPaths(s desired.Spec) error {
	var invalid *desired.ValidationError
	switch err := e.cfg.CheckMounts(s); {
	case errors.As(err, &invalid):
		return blockedError{status.ReasonMountUnavailable, err}
	case err != nil:
		return err
	}
	if err := e.checkVolume(s.VolumeID); err != nil {
		return blockedError{status.ReasonMountUnavailable, err}
	}
	if err := checkNoLink(e.cfg.Data.Path(s.InternalID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return blockedError{status.ReasonMountUnavailable, fmt.Errorf("data directory of container %s: %w", s.InternalID, err)}
	}
	if len(s.Mount) == 0 {
		return nil
	}
	sources := e.otherSources(s.InternalID)
	if err := sources.Check(s.InternalID, s.Mount); err != nil {
		return blockedError{status.ReasonMountUnavailable, err}
	}
	return nil
}

// checkVolume requires the directory of a volume to exist. It is not created here: an empty
// directory where data was would look like a success.
func (e *executor) checkVolume(id string) error {
	path := e.cfg.VolumePath(id)
	switch err := checkNoLink(path); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the directory %s of volume %s is missing on this host", path, id)
	case err != nil:
		return fmt.Errorf("directory of volume %s: %w", id, err)
	}
	if resolved, err := filepath.EvalSymlinks(path); err != nil || resolved == path {
		return nil
	}
	// An administrator may have put all volumes elsewhere, but no container.
	sources := e.otherSources("")
	if err := sources.Check("", map[string]desired.Mount{"volume": {Source: path}}); err != nil {
		return fmt.Errorf("the directory of volume %s leads through what a container can write: %w", id, err)
	}
	return nil
}

// checkNoLink requires a directory of ours at a path. A link is not followed: its data belongs to
// something else.
func checkNoLink(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := mountsource.Resolve(path)
		if err != nil {
			return fmt.Errorf("%s was replaced by a link that cannot be resolved", path)
		}
		return fmt.Errorf("%s was replaced by a link to %s", path, target)
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", path)
	}
	return nil
}

// otherSources are the mount sources of all containers but one: those of the specs, and those
// of containers that were made for an earlier spec and are still there.
func (e *executor) otherSources(id string) *mountsource.Index {
	var sources mountsource.Index
	for _, spec := range e.cfg.Store.Containers() {
		if spec.InternalID != id {
			sources.Add(spec.InternalID, spec.Mount)
		}
	}
	for _, other := range e.cfg.Cache.IDs() {
		seen := e.cfg.Cache.Get(other)
		for _, made := range []*observed.Container{seen.Run, seen.Install} {
			if other != id && made != nil {
				sources.Add(other, e.hostMounts(made.Mounts))
			}
		}
	}
	return &sources
}

// hostMounts returns the bind mounts of a container that its spec has: no volume, which an installer may
// have elsewhere.
func (e *executor) hostMounts(mounts []observed.Mount) map[string]desired.Mount {
	volumes := filepath.Dir(e.cfg.VolumePath("any"))
	found := map[string]desired.Mount{}
	for _, m := range mounts {
		if filepath.IsAbs(m.Source) && !ownTarget(m.Target) && filepath.Dir(m.Source) != volumes {
			found[m.Target] = desired.Mount{Source: m.Source, ReadOnly: m.ReadOnly}
		}
	}
	return found
}
