package simengine

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/docker/go-units"
)

// stamp writes a time as Docker does, to whom year 1 is never.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// mounts returns what of the host is mounted in a container.
func (c *box) mounts() []container.MountPoint {
	points := []container.MountPoint{}
	for _, bind := range c.host.Binds {
		parts := strings.SplitN(bind, ":", 3)
		if len(parts) < 2 {
			continue
		}
		mode := ""
		if len(parts) == 3 {
			mode = parts[2]
		}
		points = append(points, container.MountPoint{
			Type: mount.TypeBind, Source: parts[0], Destination: parts[1], Mode: mode,
			RW: !slices.Contains(strings.Split(mode, ","), "ro"), Propagation: mount.PropagationRPrivate,
		})
	}
	for _, m := range c.host.Mounts {
		if m.Type == mount.TypeVolume {
			points = append(points, container.MountPoint{
				Type: m.Type, Name: m.Source, Source: "/var/lib/docker/volumes/" + m.Source + "/_data",
				Destination: m.Target, Driver: "local", Mode: "z", RW: !m.ReadOnly,
			})
			continue
		}
		points = append(points, container.MountPoint{
			Type: m.Type, Source: m.Source, Destination: m.Target, RW: !m.ReadOnly,
			Propagation: mount.PropagationRPrivate,
		})
	}
	for _, target := range slices.Sorted(maps.Keys(c.config.Volumes)) {
		taken := slices.ContainsFunc(points, func(p container.MountPoint) bool { return p.Destination == target })
		if !taken {
			name := fmt.Sprintf("%x", sha256.Sum256([]byte(c.id+target)))
			points = append(points, container.MountPoint{
				Type: mount.TypeVolume, Name: name, Source: "/var/lib/docker/volumes/" + name + "/_data",
				Destination: target, Driver: "local", RW: true,
			})
		}
	}
	return points
}

// endpoints returns the networks of a container.
func (s *Sim) endpoints(c *box) map[string]*network.EndpointSettings {
	all := map[string]*network.EndpointSettings{}
	for _, name := range c.joined {
		e := &network.EndpointSettings{NetworkID: c.joinedIDs[name]}
		if n := s.networkLocked(name); n != nil && !c.started.IsZero() {
			if c.running && n.driver == "bridge" {
				// Another one at each start, as Docker does.
				e.EndpointID = fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, c.id, c.pid, name)))
				e.Gateway, e.IPPrefixLen = "172.17.0.1", 16
				e.IPAddress = fmt.Sprintf("172.17.%d.%d", c.pid/250%256, c.pid%250+2)
				e.MacAddress = fmt.Sprintf("02:42:ac:11:%02x:%02x", c.pid/250%256, c.pid%250+2)
			}
		}
		all[name] = e
	}
	return all
}

func (s *Sim) inspectContainer(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	if err != nil {
		return answer{}, err
	}
	view := s.viewLocked(target)
	if c.flag("size") {
		size := target.layer
		view.SizeRw, view.SizeRootFs = &size, &size
	}
	return answer{http.StatusOK, view}, nil
}

// viewLocked returns a container as an inspection shows it. The caller holds the lock.
func (s *Sim) viewLocked(c *box) container.InspectResponse {
	command := c.command()
	if len(command) == 0 {
		command = []string{""}
	}
	ports := nat.PortMap{}
	for _, b := range c.bound {
		ports[b.inside] = append(ports[b.inside], nat.PortBinding{HostIP: b.ip, HostPort: strconv.Itoa(b.port)})
	}
	settings := &container.NetworkSettings{Networks: s.endpoints(c)}
	settings.Ports = ports
	return container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{
			ID: c.id, Created: stamp(c.created), Path: command[0], Args: command[1:],
			State: &container.State{
				Status: c.status(), Running: c.running, Paused: c.paused, OOMKilled: c.oomKilled,
				Pid: c.pid, ExitCode: c.exitCode, Error: c.failure,
				StartedAt: stamp(c.started), FinishedAt: stamp(c.finished),
			},
			Image: c.picture.id, Name: "/" + c.name, Driver: "overlay2", Platform: "linux", HostConfig: c.host,
		},
		Mounts: c.mounts(), Config: c.config, NetworkSettings: settings,
	}
}

// summaryLocked returns a container as a list shows it. The caller holds the lock.
func (s *Sim) summaryLocked(c *box, now time.Time) container.Summary {
	sum := container.Summary{
		ID: c.id, Names: []string{"/" + c.name}, Image: c.image, ImageID: c.picture.id,
		Command: quoted(c.command()), Created: c.created.Unix(), Ports: []container.Port{},
		Labels: c.config.Labels, State: c.status(), Status: c.words(now), Mounts: c.mounts(),
		NetworkSettings: &container.NetworkSettingsSummary{Networks: s.endpoints(c)},
	}
	if s.refs[withTag(c.image)] != c.picture {
		sum.Image = c.picture.id // its name has moved on
	}
	sum.HostConfig.NetworkMode = string(c.host.NetworkMode)
	for _, b := range c.bound {
		sum.Ports = append(sum.Ports, container.Port{
			IP: b.ip, PrivatePort: uint16(b.inside.Int()), PublicPort: uint16(b.port), Type: b.proto,
		})
	}
	return sum
}

// quoted is a command as a list shows it.
func quoted(command []string) string {
	words := slices.Clone(command)
	for i, word := range words {
		if i > 0 && strings.Contains(word, " ") {
			words[i] = "'" + word + "'"
		}
	}
	return strings.Join(words, " ")
}

// words is the human-readable status.
func (c *box) words(now time.Time) string {
	switch {
	case c.paused:
		return "Up " + units.HumanDuration(now.Sub(c.started)) + " (Paused)"
	case c.running:
		return "Up " + units.HumanDuration(now.Sub(c.started))
	case c.removing:
		return "Removal In Progress"
	case c.started.IsZero():
		return "Created"
	default:
		return fmt.Sprintf("Exited (%d) %s ago", c.exitCode, units.HumanDuration(now.Sub(c.finished)))
	}
}

// listed reports whether a container passes the filters of a list.
func (c *box) listed(f filters.Args) bool {
	return (!f.Contains("label") || f.MatchKVList("label", c.config.Labels)) &&
		(!f.Contains("name") || f.Match("name", c.name) || f.Match("name", "/"+c.name)) &&
		(!f.Contains("id") || f.Match("id", c.id)) &&
		(!f.Contains("status") || f.ExactMatch("status", c.status())) &&
		(!f.Contains("ancestor") || f.ExactMatch("ancestor", c.image) || f.ExactMatch("ancestor", c.picture.id))
}

func (s *Sim) listContainers(c *call) (answer, error) {
	f, err := c.filters()
	if err != nil {
		return answer{}, err
	}
	all := c.flag("all") || f.Contains("status")
	limit, _ := strconv.Atoi(c.query.Get("limit"))
	s.mu.Lock()
	defer s.mu.Unlock()
	chosen := make([]*box, 0, len(s.containers))
	for _, b := range s.containers {
		if (all || b.running) && b.listed(f) {
			chosen = append(chosen, b)
		}
	}
	slices.SortFunc(chosen, func(a, b *box) int {
		return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.id, b.id)) // the newest first
	})
	if limit > 0 && len(chosen) > limit {
		chosen = chosen[:limit]
	}
	now := s.now()
	list := make([]container.Summary, 0, len(chosen))
	for _, b := range chosen {
		list = append(list, s.summaryLocked(b, now))
	}
	return answer{http.StatusOK, list}, nil
}
