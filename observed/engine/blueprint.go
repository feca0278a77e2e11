package engine

import (
	"math"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/go-connections/nat"

	"lightd/desired"
	"lightd/observed/blueprint"
)

// configs returns a blueprint as Docker wants it, and adds nothing to it.
func configs(b blueprint.Blueprint) (*container.Config, *container.HostConfig) {
	exposed, bindings := portMaps(b.Ports)
	config := &container.Config{
		Image:        b.Image,
		Labels:       b.Labels,
		Entrypoint:   b.Entrypoint,
		Cmd:          b.Cmd,
		Env:          b.Env,
		WorkingDir:   b.WorkingDir,
		User:         b.User,
		Hostname:     b.Hostname,
		Tty:          b.TTY,
		OpenStdin:    b.OpenStdin,
		ExposedPorts: exposed,
		StopSignal:   b.StopSignal,
	}
	if b.Healthcheck != nil {
		config.Healthcheck = &container.HealthConfig{Test: b.Healthcheck}
	}
	host := &container.HostConfig{
		NetworkMode:   container.NetworkMode(b.NetworkMode),
		PortBindings:  bindings,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyMode(b.RestartPolicy)},
		LogConfig:     container.LogConfig{Type: b.Log.Driver},
		Init:          &b.Init,
		Resources:     resources(b.Limits),

		ReadonlyRootfs: b.ReadOnly,
		Tmpfs:          b.Tmpfs,
	}
	askSecurity(host, b.Security)
	if b.TTY {
		// Docker 20.10 ignores it, and the console sets it after the start.
		host.ConsoleSize = [2]uint{blueprint.TerminalRows, blueprint.TerminalCols}
	}
	if b.Log.Driver != "" {
		host.LogConfig.Config = map[string]string{logMaxSize: b.Log.MaxSize, logMaxFile: b.Log.MaxFile}
	}
	for _, m := range b.Mounts {
		host.Mounts = append(host.Mounts, mount.Mount{
			Type: mount.TypeBind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly,
		})
	}
	for _, v := range b.Volumes {
		host.Mounts = append(host.Mounts, mount.Mount{
			Type: mount.TypeVolume, Source: v.Name, Target: v.Target,
			VolumeOptions: &mount.VolumeOptions{Labels: v.Labels, DriverConfig: &mount.Driver{
				Name: "local", Options: map[string]string{"type": "none", "o": "bind", "device": v.Directory},
			}},
		})
	}
	return config, host
}

// Docker's names of the options that bound what is kept of the output.
const (
	logMaxSize = "max-size"
	logMaxFile = "max-file"
)

// resources returns l as Docker wants it, for a creation and for an update alike. A
// limit of 0 is none at a creation, and left as it is by an update, except for processes. Whether the kernel kills for
// memory is fixed at a creation.
func resources(l desired.Limits) container.Resources {
	r := container.Resources{
		Memory:    l.Memory,
		NanoCPUs:  int64(math.Round(l.CPU * 1e9)),
		PidsLimit: &l.PIDs,

		CpusetCpus: l.CPUSet, BlkioWeight: uint16(l.IOWeight), MemoryReservation: l.MemoryReservation,
	}
	switch {
	case l.Memory > 0 && l.Swap == desired.UnlimitedSwap:
		r.MemorySwap = -1
	case l.Memory > 0:
		r.MemorySwap = l.Memory + l.Swap
	}
	if l.OOMDisable {
		r.OomKillDisable = &l.OOMDisable
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
