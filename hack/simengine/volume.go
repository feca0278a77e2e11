package simengine

import (
	"net/http"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
)

// makeVolumesLocked creates the volumes with names that a container needs, where they are missing.
// One that exists is used unchanged. The caller holds the lock.
func (s *Sim) makeVolumesLocked(mounts []mount.Mount) {
	for _, m := range mounts {
		if m.Type != mount.TypeVolume || m.Source == "" || s.volumes[m.Source] != nil {
			continue
		}
		v := &volume.Volume{
			Name: m.Source, Driver: "local", Scope: "local", CreatedAt: stamp(s.now().UTC()),
			Mountpoint: "/var/lib/docker/volumes/" + m.Source + "/_data",
		}
		if o := m.VolumeOptions; o != nil {
			v.Labels = o.Labels
			if o.DriverConfig != nil {
				v.Options = o.DriverConfig.Options
			}
		}
		s.volumes[v.Name] = v
	}
}

// createVolume makes a volume, or returns the one of that name as it is.
func (s *Sim) createVolume(c *call) (answer, error) {
	var o volume.CreateOptions
	if err := c.decode(&o); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeVolumesLocked([]mount.Mount{{Type: mount.TypeVolume, Source: o.Name, VolumeOptions: &mount.VolumeOptions{
		Labels: o.Labels, DriverConfig: &mount.Driver{Options: o.DriverOpts},
	}}})
	return answer{http.StatusCreated, s.volumes[o.Name]}, nil
}

func (s *Sim) listVolumes(c *call) (answer, error) {
	f, err := c.filters()
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []*volume.Volume{}
	for _, v := range s.volumes {
		if !f.Contains("label") || f.MatchKVList("label", v.Labels) {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b *volume.Volume) int { return strings.Compare(a.Name, b.Name) })
	return answer{http.StatusOK, volume.ListResponse{Volumes: list}}, nil
}

func (s *Sim) inspectVolume(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.volumes[c.id]
	if v == nil {
		return answer{}, refuse(http.StatusNotFound, "get %s: no such volume", c.id)
	}
	return answer{http.StatusOK, v}, nil
}

func (s *Sim) removeVolume(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.volumes[c.id] == nil {
		return answer{}, refuse(http.StatusNotFound, "get %s: no such volume", c.id)
	}
	for _, other := range s.containers {
		for _, m := range other.host.Mounts {
			if m.Type == mount.TypeVolume && m.Source == c.id {
				return answer{}, refuse(http.StatusConflict, "remove %s: volume is in use - [%s]", c.id, other.id)
			}
		}
	}
	delete(s.volumes, c.id)
	return answer{status: http.StatusNoContent}, nil
}
