package engine

import (
	"maps"
	"math"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/go-connections/nat"

	"lightd/desired"
	"lightd/observed"
)

// Mount binds a path of the host into a container. The source must exist.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

// Blueprint is what a container is made from.
type Blueprint struct {
	// Name is its name in Docker, Image a reference or an id.
	Name, Image string
	Role        observed.Role
	// Labels are those beside the instance and the role.
	Labels map[string]string
	// Entrypoint and Cmd take the place of the image's; nil keeps them.
	Entrypoint, Cmd []string
	// Env is a list of KEY=value.
	Env              []string
	WorkingDir, User string
	TTY, OpenStdin   bool
	// Init runs docker-init as the first process; it passes signals on to the whole
	// process group.
	Init   bool
	Mounts []Mount
	Ports  []desired.Port
	Limits desired.Limits
	// StopSignal is what `docker stop` sends; Lightd sends its own.
	StopSignal string
}

// initSignalsGroup makes docker-init pass a signal to all of the process group, so that it
// reaches the program and not only a shell in front of it.
const initSignalsGroup = "TINI_KILL_PROCESS_GROUP=1"

// configs returns b as Docker wants it. Restarting is Lightd's business, never Docker's.
func (b Blueprint) configs(instance string) (*container.Config, *container.HostConfig) {
	labels := maps.Clone(b.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[observed.LabelInstance] = instance
	labels[observed.LabelRole] = string(b.Role)
	exposed, bindings := portMaps(b.Ports)
	env := append([]string{}, b.Env...)
	if b.Init {
		env = append(env, initSignalsGroup)
	}
	config := &container.Config{
		Image:        b.Image,
		Labels:       labels,
		Entrypoint:   b.Entrypoint,
		Cmd:          b.Cmd,
		Env:          env,
		WorkingDir:   b.WorkingDir,
		User:         b.User,
		Tty:          b.TTY,
		OpenStdin:    b.OpenStdin,
		ExposedPorts: exposed,
		StopSignal:   b.StopSignal,
	}
	host := &container.HostConfig{
		PortBindings:  bindings,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig: container.LogConfig{
			Type:   "json-file",
			Config: map[string]string{"max-size": "10m", "max-file": "3"},
		},
		Init:      &b.Init,
		Resources: resources(b.Limits),
	}
	for _, m := range b.Mounts {
		host.Mounts = append(host.Mounts, mount.Mount{
			Type: mount.TypeBind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly,
		})
	}
	return config, host
}

// resources returns l as Docker wants it, for a creation and for an update alike. A
// limit of 0 is none at a creation, and left as it is by an update, except for processes.
func resources(l desired.Limits) container.Resources {
	r := container.Resources{
		Memory:    l.Memory,
		NanoCPUs:  int64(math.Round(l.CPU * 1e9)),
		PidsLimit: &l.PIDs,
	}
	if l.Memory > 0 {
		r.MemorySwap = l.Memory + l.Swap
	}
	return r
}

// portMaps returns the ports as the two maps that Docker wants.
func portMaps(ports []desired.Port) (nat.PortSet, nat.PortMap) {
	if len(ports) == 0 {
		return nil, nil
	}
	exposed, bindings := nat.PortSet{}, nat.PortMap{}
	for _, p := range ports {
		inside := p.ContainerPort
		if inside == 0 {
			inside = p.Port
		}
		key := nat.Port(strconv.Itoa(inside) + "/" + string(p.Protocol))
		exposed[key] = struct{}{}
		bindings[key] = append(bindings[key], nat.PortBinding{HostIP: p.IP, HostPort: strconv.Itoa(p.Port)})
	}
	return exposed, bindings
}
