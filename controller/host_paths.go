package controller

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/mountsource"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/status"
)

// checkHostPaths inspects every path of the host that Docker resolves for a container. Docker
// resolves them at its creation and at each of its starts, and the host can change in between:
// whatever makes Docker do so comes after this check. The error is a blocked one.
func (e *executor) checkHostPaths(s desired.Spec) error {
	if err := e.cfg.CheckMounts(s); err != nil {
		return blockedError{status.ReasonMountUnavailable, err}
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
	if err := sources.Check("", map[string]string{"volume": path}); err != nil {
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
				sources.Add(other, hostMounts(made.Mounts))
			}
		}
	}
	return &sources
}

// hostMounts returns the bind mounts of a container that its spec has.
func hostMounts(mounts []observed.Mount) map[string]string {
	found := map[string]string{}
	for _, m := range mounts {
		if filepath.IsAbs(m.Source) && !ownTarget(m.Target) {
			found[m.Target] = m.Source
		}
	}
	return found
}

// checkHost keeps the result of a probe of what a recreation needs of the host.
func (a *execution) checkHost() {
	check := a.probeHost()
	check.Hash = runHash(a.spec, a.st)
	a.host = &check
}

// runHash is the hash of the run container that the spec describes.
func runHash(spec desired.Container, st status.Status) string {
	if st.Install.Snapshot != "" {
		return spec.Hash(st.Install.Snapshot)
	}
	return spec.Hash(spec.Image)
}

// probeHost tries what Docker reports only by failing: host paths, and free host ports.
func (a *execution) probeHost() plan.HostCheck {
	check := plan.HostCheck{At: time.Now()}
	if err := a.checkHostPaths(a.spec.Spec); err != nil {
		check.Reason, check.Message = status.ReasonMountUnavailable, err.Error()
		return check
	}
	if !a.cfg.LocalPorts {
		return check
	}
	for _, p := range a.spec.Ports {
		if portHeldBy(a.seen.Run, p.Endpoint()) {
			continue
		}
		if err := probePort(p.Endpoint()); err != nil {
			check.Reason, check.Message = status.ReasonPortUnavailable, err.Error()
			return check
		}
	}
	return check
}

// explain returns the error of a creation or a start as a blockedError where the host is the cause:
// the host can be fixed without another spec.
func (a *execution) explain(err error) error {
	switch engine.Classify(err) {
	case engine.Refused, engine.Other:
	default:
		return err
	}
	if check := a.probeHost(); check.Reason != "" {
		return blockedError{check.Reason, fmt.Errorf("%s: %w", check.Message, err)}
	}
	if engine.PortUnavailable(err) {
		return blockedError{status.ReasonPortUnavailable, err}
	}
	if engine.FaultOf(err) == engine.FaultHost {
		return blockedError{status.ReasonMountUnavailable, err}
	}
	return err
}

// terminalOnRefusal reports whether the refusal of a step lasts until the spec changes.
func terminalOnRefusal(k plan.Kind, err error) bool {
	switch k.Traits().Refusal {
	case plan.RefusalIsTerminal:
		return engine.Classify(err) == engine.Refused
	case plan.SpecFaultIsTerminal:
		return engine.FaultOf(err) == engine.FaultSpec
	}
	return false
}
