package engine

import (
	"context"
	"strings"

	"github.com/docker/docker/api/types/system"
)

// Isolation is how an engine separates containers from its host, whatever they ask for.
type Isolation struct {
	// Version is the engine's own, API that which it is spoken to with.
	Version, API string
	// Cgroup is "1" or "2".
	Cgroup string
	// Storage is its storage driver, Root its directory, Kernel the release of its kernel.
	Storage, Root, Kernel string
	// SwapUnlimited is true where the kernel does not account the swap of containers.
	SwapUnlimited bool
	// Options are the engine's security options, as in "name=seccomp,profile=default".
	Options []string
	// Podman is true for a Podman.
	Podman bool
	// Unlimited are the limits that the engine cannot set: of "memory", "CPU" and "processes".
	Unlimited []string
}

// Isolation returns how the engine separates containers.
func (e *Engine) Isolation(ctx context.Context) (found Isolation, err error) {
	err = e.call(ctx, e.timeouts.Query, "inspect", e.host, func(ctx context.Context, s *session) error {
		info, err := s.Info(ctx)
		found = Isolation{Podman: s.podman, Unlimited: unlimited(info), Version: info.ServerVersion, API: s.ClientVersion(), Cgroup: info.CgroupVersion, Options: info.SecurityOptions, Storage: info.Driver, Root: info.DockerRootDir, Kernel: info.KernelVersion, SwapUnlimited: !info.SwapLimit}
		return err
	})
	return found, err
}

// unlimited returns the limits that an engine lacks the controllers of cgroups for, or the right to use them.
func unlimited(info system.Info) (names []string) {
	for _, limit := range []struct {
		name string
		has  bool
	}{{"memory", info.MemoryLimit}, {"CPU", info.CPUCfsQuota}, {"processes", info.PidsLimit}} {
		if !limit.has {
			names = append(names, limit.name)
		}
	}
	return names
}

// Has reports whether the engine has a security option, with all of the given properties.
func (i Isolation) Has(name string, properties ...string) bool {
	for _, option := range i.Options {
		parts := "," + option + ","
		has := strings.Contains(parts, ",name="+name+",")
		for _, p := range properties {
			has = has && strings.Contains(parts, ","+p+",")
		}
		if has {
			return true
		}
	}
	return false
}
