package main

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"lightd/desired"
	"lightd/observed/blueprint"
)

// isolation is what an operator allows of what separates containers from the host.
type isolation struct {
	// Capabilities are those that root has in the containers of servers, InstallCapabilities in those
	// of install scripts; nil are the default ones of blueprint.
	Capabilities        []string `yaml:"capabilities"`
	InstallCapabilities []string `yaml:"install_capabilities"`
	// The others are those of desired.LimitRange; sizes are as in "512m".
	DefaultMemory string `yaml:"default_memory"`
	MaxMemory     string `yaml:"max_memory"`
	DefaultCPU    cores  `yaml:"default_cpu"`
	MaxCPU        cores  `yaml:"max_cpu"`
	MaxPIDs       int64  `yaml:"max_pids"`
	MaxPorts      int    `yaml:"max_ports"`
	MaxContainers int    `yaml:"max_containers"`
	MaxVolumes    int    `yaml:"max_volumes"`
	// MaxInstallation is what an install script may write outside of its mounts; "" and "0" are no bound.
	MaxInstallation string `yaml:"max_installation"`
}

// cores is a number of cores, in the file as in a spec: 1.5, or 500m.
type cores float64

// UnmarshalYAML reads a number of cores.
func (c *cores) UnmarshalYAML(node *yaml.Node) (err error) {
	*c, err = parseCores(node.Value)
	return err
}

func parseCores(text string) (cores, error) {
	number, thousandths := strings.CutSuffix(text, "m")
	var n float64
	if err := yaml.Unmarshal([]byte(number), &n); err != nil {
		return 0, fmt.Errorf("read a number of cores: %w", err)
	}
	if thousandths {
		n /= 1000
	}
	return cores(n), nil
}

// check brings the lists into the form in which they are compared.
func (c *isolation) check() error {
	for key, list := range map[string]*[]string{"capabilities": &c.Capabilities, "install_capabilities": &c.InstallCapabilities} {
		if *list == nil {
			continue
		}
		normal, err := blueprint.NormalCapabilities(*list)
		if err != nil {
			return badSetting("containers."+key, "containers.%s: %v", key, err)
		}
		*list = normal
	}
	if _, err := c.maxInstallation(); err != nil {
		return err
	}
	_, err := c.limitRange()
	return err
}

// maxInstallation returns the bound of an installation in bytes, 0 for none.
func (c *isolation) maxInstallation() (int64, error) {
	if c.MaxInstallation == "" {
		return 0, nil
	}
	n, err := parseBytes(c.MaxInstallation)
	if err != nil || n < 0 || n > 0 && n < 1<<20 {
		return 0, badSetting("containers.max_installation", "containers.max_installation: %q is neither a size of at least 1m, as in 10Gi, nor 0 for no bound", c.MaxInstallation)
	}
	return n, nil
}

// limitRange returns the operator's bounds.
func (c *isolation) limitRange() (desired.LimitRange, error) {
	r := desired.LimitRange{
		DefaultCPU: float64(c.DefaultCPU), MaxCPU: float64(c.MaxCPU), MaxPIDs: c.MaxPIDs,
		MaxPorts: c.MaxPorts, MaxContainers: c.MaxContainers, MaxVolumes: c.MaxVolumes,
	}
	for key, size := range map[string]struct {
		text string
		to   *int64
	}{"default_memory": {c.DefaultMemory, &r.DefaultMemory}, "max_memory": {c.MaxMemory, &r.MaxMemory}} {
		if size.text == "" {
			continue
		}
		n, err := parseBytes(size.text)
		if err != nil || n < minContainerMemory {
			return r, badSetting("containers."+key, "containers.%s: %q is not a size of at least 6m, as in 512Mi", key, size.text)
		}
		*size.to = n
	}
	for key, low := range map[string]bool{
		"default_cpu": !(r.DefaultCPU >= 0), "max_cpu": !(r.MaxCPU >= 0), "max_pids": r.MaxPIDs < 0, "max_ports": r.MaxPorts < 0,
		"max_containers": r.MaxContainers < 0, "max_volumes": r.MaxVolumes < 0,
	} {
		if low {
			return r, badSetting("containers."+key, "containers.%s: it must be 0 (no bound) or above", key)
		}
	}
	switch {
	case r.MaxMemory > 0 && r.DefaultMemory > r.MaxMemory:
		return r, badSetting("containers.default_memory", "containers.default_memory: it must be at most max_memory")
	case r.MaxCPU > 0 && r.DefaultCPU > r.MaxCPU:
		return r, badSetting("containers.default_cpu", "containers.default_cpu: it must be at most max_cpu")
	}
	return r, nil
}

// minContainerMemory is the least that the engine gives a container.
const minContainerMemory = 6 << 20
