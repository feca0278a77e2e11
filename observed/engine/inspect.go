package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"lightd/desired"
	"lightd/observed"
)

// Listed is what a list has of a container.
type Listed struct {
	ContainerID string
	// Names are without the leading slash.
	Names  []string
	Labels map[string]string
	Phase  observed.Phase
	// Networks and Endpoint are as in observed.Container.
	Networks []string
	Endpoint string
	// Status is Docker's human-readable text, as in "Up 3 minutes".
	Status string
}

// List returns all containers of our instance, running or not.
func (e *Engine) List(ctx context.Context) ([]Listed, error) {
	list, err := e.list(ctx, e.instance, e.ours())
	if err == nil && e.podman.Load() {
		e.clean.keep(list)
	}
	return list, err
}

// ListAll returns those of every Lightd that uses this engine, of which ours are only some.
func (e *Engine) ListAll(ctx context.Context) ([]Listed, error) {
	return e.list(ctx, "every Lightd", filters.NewArgs(filters.Arg("label", observed.LabelID)))
}

func (e *Engine) list(ctx context.Context, whose string, which filters.Args) ([]Listed, error) {
	var list []Listed
	err := e.call(ctx, e.timeouts.Query, "list containers of", whose, func(ctx context.Context, s *session) error {
		found, err := s.ContainerList(ctx, container.ListOptions{All: true, Filters: which})
		list = make([]Listed, 0, len(found))
		for _, c := range found {
			names := make([]string, len(c.Names))
			for i, name := range c.Names {
				names[i] = strings.TrimPrefix(name, "/")
			}
			var connected []string
			var endpoint string
			if c.NetworkSettings != nil {
				s.dockerNetworks(c.NetworkSettings.Networks)
				connected, endpoint, _ = networks(c.NetworkSettings.Networks)
			}
			list = append(list, Listed{
				Networks: connected, Endpoint: endpoint,
				ContainerID: c.ID, Names: names, Labels: c.Labels,
				Phase: observed.Phase(dockerState(string(c.State))), Status: c.Status,
			})
		}
		return err
	})
	return list, err
}

// ours selects what carries the label of our instance.
func (e *Engine) ours() filters.Args {
	return filters.NewArgs(filters.Arg("label", observed.LabelInstance+"="+e.instance))
}

// Inspect returns what Docker has of the container with a name or an id, and its
// labels, by which the caller decides whether it is ours.
func (e *Engine) Inspect(ctx context.Context, nameOrID string) (c observed.Container, labels map[string]string, err error) {
	err = e.call(ctx, e.timeouts.Query, "inspect container", nameOrID, func(ctx context.Context, s *session) error {
		found, err := s.ContainerInspect(ctx, nameOrID)
		if err != nil {
			return missing(err)
		}
		if found.ContainerJSONBase == nil || found.State == nil || found.Config == nil || found.HostConfig == nil {
			return fmt.Errorf("%w: half of an answer", cerrdefs.ErrInternal)
		}
		if err := s.asDocker(ctx, &found); err != nil {
			return err
		}
		c, labels = translate(found), found.Config.Labels
		if e.readLimits != nil && found.State.Running {
			c.Enforced = e.readLimits(c.PID, c.ContainerID)
		}
		return nil
	})
	return c, labels, err
}

// translate returns a container as Docker describes it in our own terms.
func translate(from container.InspectResponse) observed.Container {
	labels := from.Config.Labels
	generation, _ := strconv.ParseInt(labels[observed.LabelGeneration], 10, 64)
	install, _ := strconv.ParseInt(labels[observed.LabelInstall], 10, 64)
	c := observed.Container{
		ContainerID: from.ID,
		Name:        strings.TrimPrefix(from.Name, "/"),
		Role:        observed.Role(labels[observed.LabelRole]),
		Labels:      ownLabels(labels),
		Hash:        labels[observed.LabelHash],
		Generation:  generation,
		Install:     install,
		State: observed.State{
			Phase:      observed.Phase(from.State.Status),
			StartedAt:  instant(from.State.StartedAt),
			FinishedAt: instant(from.State.FinishedAt),
			ExitCode:   from.State.ExitCode,
			PID:        from.State.Pid,
			OOMKilled:  from.State.OOMKilled,
		},
		Config: translateConfig(from),
	}
	if from.NetworkSettings != nil {
		c.Networks, c.Endpoint, c.NetworkID = networks(from.NetworkSettings.Networks)
		if from.State.Running {
			c.Address = address(from.NetworkSettings.Networks, c.Networks)
			c.Published = binds(from.NetworkSettings.Ports)
		}
	}
	return c
}

func translateConfig(from container.InspectResponse) observed.Config {
	return observed.Config{
		Image:      from.Config.Image,
		ImageID:    from.Image,
		Entrypoint: from.Config.Entrypoint,
		Cmd:        from.Config.Cmd,
		Env:        from.Config.Env,
		WorkingDir: from.Config.WorkingDir,
		User:       from.Config.User,
		Hostname:   from.Config.Hostname,
		StopSignal: from.Config.StopSignal,
		TTY:        from.Config.Tty,
		OpenStdin:  from.Config.OpenStdin,
		Init:       from.HostConfig.Init != nil && *from.HostConfig.Init,
		Mounts:     mounts(from.HostConfig.Mounts, from.Mounts),
		Limits:     limits(from.HostConfig.Resources),
		Log: observed.Log{
			Driver:  from.HostConfig.LogConfig.Type,
			MaxSize: from.HostConfig.LogConfig.Config[logMaxSize],
			MaxFile: from.HostConfig.LogConfig.Config[logMaxFile],
		},
		RestartPolicy: string(cmp.Or(from.HostConfig.RestartPolicy.Name, container.RestartPolicyDisabled)),
		Binds:         binds(from.HostConfig.PortBindings),
		ReadOnly:      from.HostConfig.ReadonlyRootfs,
		Tmpfs:         from.HostConfig.Tmpfs,
		Healthcheck:   healthcheck(from.Config.Healthcheck),
		NetworkMode:   networkMode(from.HostConfig.NetworkMode),
		Security:      security(from.HostConfig, from.Mounts),
	}
}

// healthcheck returns the command of a probe, nil where there is none.
func healthcheck(from *container.HealthConfig) []string {
	if from == nil {
		return nil
	}
	return from.Test
}

// networks returns the names of the networks of a container, sorted, and its endpoint in
// the first, with the id of that network.
func networks(all map[string]*network.EndpointSettings) (names []string, endpoint, networkID string) {
	names = slices.Sorted(maps.Keys(all))
	if len(names) > 0 && all[names[0]] != nil {
		endpoint, networkID = all[names[0]].EndpointID, all[names[0]].NetworkID
	}
	return names, endpoint, networkID
}

// address returns the address of a container in the first of its networks, by names; IPv6 where it has no other.
func address(all map[string]*network.EndpointSettings, names []string) string {
	if len(names) == 0 || all[names[0]] == nil {
		return ""
	}
	return cmp.Or(all[names[0]].IPAddress, all[names[0]].GlobalIPv6Address)
}

// networkMode returns the network that a container was created on, by the name that it has since
// Docker 27.0 where it was given none.
func networkMode(mode container.NetworkMode) string {
	if mode == "" || mode.IsDefault() {
		return ownNetwork
	}
	return string(mode)
}

// ownLabels leaves out what an image or another client has added.
func ownLabels(all map[string]string) map[string]string {
	own := map[string]string{}
	for k, v := range all {
		if strings.HasPrefix(k, observed.LabelPrefix) {
			own[k] = v
		}
	}
	return own
}

// mounts returns what is mounted, in the order of the targets: of a path of the host the
// requested source, of a volume its name.
func mounts(asked []mount.Mount, points []container.MountPoint) []observed.Mount {
	list := make([]observed.Mount, len(points))
	for i, p := range points {
		source := p.Source
		if p.Type == mount.TypeVolume {
			source = p.Name // where Docker keeps it is Docker's business
		}
		at := slices.IndexFunc(asked, func(m mount.Mount) bool { return m.Target == p.Destination })
		if at >= 0 && p.Type == mount.TypeBind {
			source = asked[at].Source
		}
		list[i] = observed.Mount{Source: source, Target: p.Destination, ReadOnly: !p.RW}
	}
	slices.SortFunc(list, func(a, b observed.Mount) int { return cmp.Compare(a.Target, b.Target) })
	return list
}

// instant reads a time of Docker, whose year 1 stands for never.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}

// limits reads back what resources wrote.
func limits(r container.Resources) desired.Limits {
	l := desired.Limits{Memory: r.Memory, CPU: float64(r.NanoCPUs) / 1e9, CPUSet: r.CpusetCpus, IOWeight: int64(r.BlkioWeight),
		MemoryReservation: r.MemoryReservation, OOMDisable: r.OomKillDisable != nil && *r.OomKillDisable}
	if r.NanoCPUs == 0 && r.CPUQuota > 0 {
		l.CPU = float64(r.CPUQuota) / float64(cmp.Or(r.CPUPeriod, 100_000))
	}
	switch {
	case r.Memory <= 0:
	case r.MemorySwap < 0:
		l.Swap = desired.UnlimitedSwap // a kernel without swap accounting makes it so whatever is requested
	default:
		l.Swap = max(0, r.MemorySwap-r.Memory)
	}
	if r.PidsLimit != nil {
		l.PIDs = max(0, *r.PidsLimit)
	}
	return l
}

// binds returns the ports of the host that a container holds while it exists: one that is
// stopped binds none, but will again when it is started.
func binds(bindings nat.PortMap) []desired.Port {
	var ports []desired.Port
	for inside, outside := range bindings {
		for _, b := range outside {
			port, err := strconv.Atoi(b.HostPort)
			if err != nil || port == 0 {
				continue // Docker picks one at each start
			}
			ip := cmp.Or(b.HostIP, anyAddress)
			if addr, err := netip.ParseAddr(ip); err == nil {
				ip = addr.Unmap().String()
			}
			ports = append(ports, desired.Port{
				IP: ip, Port: port, Protocol: desired.Protocol(inside.Proto()), ContainerPort: inside.Int(),
			})
		}
	}
	slices.SortFunc(ports, func(a, b desired.Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.IP, b.IP), cmp.Compare(a.ContainerPort, b.ContainerPort))
	})
	return ports
}
