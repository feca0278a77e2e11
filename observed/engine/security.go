package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"lightd/observed"
)

const (
	noNewPrivileges  = "no-new-privileges"
	capabilityPrefix = "CAP_"
)

// askSecurity puts s into a creation: all capabilities are dropped, and those of s added. Nil
// capabilities are the engine's own.
func askSecurity(host *container.HostConfig, s observed.Security) {
	if s.Capabilities != nil {
		host.CapDrop = []string{observed.AllCapabilities}
	}
	for _, one := range s.Capabilities {
		host.CapAdd = append(host.CapAdd, capabilityPrefix+one)
	}
	if s.NoNewPrivileges {
		host.SecurityOpt = []string{noNewPrivileges}
	}
	host.IpcMode, host.CgroupnsMode = container.IpcMode(s.IPC), container.CgroupnsMode(s.Cgroupns)
}

// security returns what separates a container from the host.
func security(host *container.HostConfig, points []container.MountPoint) observed.Security {
	s := observed.Security{
		Capabilities: capabilities(host),
		IPC:          string(host.IpcMode), Cgroupns: string(host.CgroupnsMode),
		Privileges: privileges(host, points),
	}
	for _, option := range host.SecurityOpt {
		if value, is := isNoNewPrivileges(option); is {
			s.NoNewPrivileges = value
		}
	}
	return s
}

// isNoNewPrivileges reads the forms in which Docker accepts the option.
func isNoNewPrivileges(option string) (value, is bool) {
	name, text, _ := strings.Cut(strings.Replace(option, "=", ":", 1), ":")
	return text != "false", name == noNewPrivileges
}

// capabilities returns those that root has, by Docker's own rules.
func capabilities(host *container.HostConfig) []string {
	added, dropped := capabilityNames(host.CapAdd), capabilityNames(host.CapDrop)
	all := []string{observed.AllCapabilities}
	switch {
	case host.Privileged:
		return all
	case slices.Contains(added, observed.AllCapabilities):
		return append(all, minus(dropped)...)
	case slices.Contains(dropped, observed.AllCapabilities):
		return added
	}
	have := slices.DeleteFunc(observed.EngineCapabilities(), func(one string) bool { return slices.Contains(dropped, one) })
	have = append(have, added...)
	slices.Sort(have)
	return slices.Compact(have)
}

// minus writes what is taken from all capabilities.
func minus(dropped []string) []string {
	list := make([]string, len(dropped))
	for i, one := range dropped {
		list[i] = "-" + one
	}
	return list
}

// capabilityNames returns capabilities in the form NET_RAW, sorted.
func capabilityNames(list []string) []string {
	names := make([]string, len(list))
	for i, one := range list {
		names[i] = strings.TrimPrefix(strings.ToUpper(one), capabilityPrefix)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// privileges lists what a container was given that none of ours is: it can reach the host by each,
// or other containers.
func privileges(host *container.HostConfig, points []container.MountPoint) []string {
	var list []string
	note := func(name, value string) {
		if value != "" {
			list = append(list, name+"="+value)
		}
	}
	if host.Privileged {
		list = append(list, "privileged")
	}
	note("pid", string(host.PidMode))
	note("uts", string(host.UTSMode))
	note("userns", string(host.UsernsMode))
	if host.NetworkMode.IsHost() || host.NetworkMode.IsContainer() {
		note("network", string(host.NetworkMode))
	}
	note("cgroup", string(host.Cgroup))
	note("cgroup_parent", host.CgroupParent)
	for _, d := range host.Devices {
		note("device", d.PathOnHost)
	}
	for _, rule := range host.DeviceCgroupRules {
		note("device_cgroup_rule", rule)
	}
	for _, r := range host.DeviceRequests {
		note("device_request", cmp.Or(r.Driver, fmt.Sprint(r.Capabilities)))
	}
	for _, option := range host.SecurityOpt {
		if _, is := isNoNewPrivileges(option); !is {
			note("security_opt", option)
		}
	}
	for _, group := range host.GroupAdd {
		note("group_add", group)
	}
	for name, value := range host.Sysctls {
		note("sysctl", name+"="+value)
	}
	for _, from := range host.VolumesFrom {
		note("volumes_from", from)
	}
	if host.OomScoreAdj < 0 {
		note("oom_score_adj", fmt.Sprint(host.OomScoreAdj))
	}
	for _, p := range points {
		if p.Propagation == mount.PropagationShared || p.Propagation == mount.PropagationRShared {
			note("propagation", p.Destination+":"+string(p.Propagation))
		}
	}
	if unmasked(host) {
		list = append(list, "systempaths=unconfined")
	}
	slices.Sort(list)
	return list
}

// unmasked reports whether paths of /proc are open that Docker closes. An engine that shows none
// has closed its own.
func unmasked(host *container.HostConfig) bool {
	return !host.Privileged &&
		(host.MaskedPaths != nil && !slices.Contains(host.MaskedPaths, "/proc/kcore") ||
			host.ReadonlyPaths != nil && !slices.Contains(host.ReadonlyPaths, "/proc/sys"))
}
