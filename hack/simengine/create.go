package simengine

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
)

var validName = regexp.MustCompile(`^/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// minMemory is the least memory that a container may have.
const minMemory = 6 << 20

func (s *Sim) createContainer(c *call) (answer, error) {
	var request struct {
		*container.Config
		HostConfig *container.HostConfig
	}
	if err := c.decode(&request); err != nil {
		return answer{}, err
	}
	config, host := request.Config, request.HostConfig
	if config == nil {
		return answer{}, refuse(http.StatusBadRequest, "Config cannot be empty in order to create a container")
	}
	if host == nil {
		host = &container.HostConfig{}
	}
	name := c.query.Get("name")
	if err := s.checkCreate(name, config, host); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	warnings := s.discardLimitsLocked(&host.Resources)
	made, err := s.createLocked(strings.TrimPrefix(name, "/"), config, host)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, container.CreateResponse{ID: made.id, Warnings: append(warnings, s.warnings...)}}, nil
}

// checkCreate refuses what Docker would never make.
func (s *Sim) checkCreate(name string, config *container.Config, host *container.HostConfig) error {
	if name != "" && !validName.MatchString(name) {
		return refuse(http.StatusBadRequest, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	}
	if host.PidsLimit != nil && *host.PidsLimit <= 0 {
		host.PidsLimit = nil
	}
	if err := checkResources(&host.Resources); err != nil {
		return err
	}
	if config.StopSignal != "" && signalNumber(config.StopSignal) < 0 {
		return refuse(http.StatusBadRequest, "Invalid signal: %s", config.StopSignal)
	}
	for _, m := range host.Mounts {
		if m.Type != mount.TypeBind || s.options.AnyMounts {
			continue
		}
		if _, err := os.Stat(m.Source); err != nil {
			return refuse(http.StatusBadRequest,
				"invalid mount config for type \"bind\": bind source path does not exist: %s", m.Source)
		}
	}
	return nil
}

func checkResources(r *container.Resources) error {
	switch {
	case r.Memory != 0 && r.Memory < minMemory:
		return refuse(http.StatusBadRequest, "Minimum memory limit allowed is 6MB")
	case r.Memory > 0 && r.MemorySwap > 0 && r.MemorySwap < r.Memory:
		return refuse(http.StatusBadRequest,
			"Minimum memoryswap limit should be larger than memory limit, see usage")
	case r.Memory == 0 && r.MemorySwap > 0:
		return refuse(http.StatusBadRequest,
			"You should always set the Memory limit when using Memoryswap limit, see usage")
	case r.NanoCPUs < 0:
		return refuse(http.StatusBadRequest, "NanoCPUs cannot be negative")
	}
	return nil
}

// createLocked adds a container. The caller holds the lock.
func (s *Sim) createLocked(name string, config *container.Config, host *container.HostConfig) (*box, error) {
	p := s.findImageLocked(config.Image)
	if p == nil {
		return nil, refuse(http.StatusNotFound, "No such image: %s", withTag(config.Image))
	}
	if holder := s.byName[name]; holder != nil {
		return nil, refuse(http.StatusConflict, "%s", nameTaken(name, holder))
	}
	c := newBox()
	c.id = s.newIDLocked()
	if s.full {
		return nil, errNoSpace("overlay2/" + c.id + "-init")
	}
	c.name = cmp.Or(name, "sim_"+c.id[:12])
	c.created = s.now().UTC()
	c.image, c.picture = config.Image, p
	c.config, c.host = settle(c.id, config, p.config), s.settleHostLocked(host)
	c.joined = []string{networkOf(c.host)}
	s.makeVolumesLocked(c.host.Mounts)
	s.containers[c.id], s.byName[c.name] = c, c
	s.emitLocked(c, "create", nil)
	return c, nil
}

// nameTaken is Docker's error for a name that another container has.
func nameTaken(name string, holder *box) string {
	return fmt.Sprintf("Conflict. The container name %q is already in use by container %q. "+
		"You have to remove (or rename) that container to be able to reuse that name.", "/"+name, holder.id)
}

// settle fills in the defaults of the image.
func settle(id string, config, from *container.Config) *container.Config {
	merged := *config
	merged.Hostname = cmp.Or(merged.Hostname, id[:12])
	if from == nil {
		return &merged
	}
	merged.User = cmp.Or(merged.User, from.User)
	merged.WorkingDir = cmp.Or(merged.WorkingDir, from.WorkingDir)
	merged.StopSignal = cmp.Or(merged.StopSignal, from.StopSignal)
	merged.Healthcheck = cmp.Or(merged.Healthcheck, from.Healthcheck)
	if len(merged.Entrypoint) == 0 && merged.Entrypoint == nil {
		merged.Entrypoint = from.Entrypoint
		if len(merged.Cmd) == 0 {
			merged.Cmd = from.Cmd
		}
	}
	merged.Env = mergeEnv(merged.Env, from.Env)
	merged.Volumes, merged.ExposedPorts = union(from.Volumes, merged.Volumes), union(from.ExposedPorts, merged.ExposedPorts)
	labels := maps.Clone(from.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, merged.Labels)
	merged.Labels = labels
	return &merged
}

// union returns what is in one of two sets; nil when nothing is.
func union[M ~map[K]struct{}, K comparable](a, b M) M {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := M{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// mergeEnv adds what is in the image and not in the container.
func mergeEnv(env, image []string) []string {
	merged := slices.Clone(env)
	for _, pair := range image {
		key, _, _ := strings.Cut(pair, "=")
		if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, key+"=") }) {
			merged = append(merged, pair)
		}
	}
	return merged
}

// settleHostLocked fills in what Docker does. The caller holds the lock.
func (s *Sim) settleHostLocked(host *container.HostConfig) *container.HostConfig {
	merged := *host
	merged.NetworkMode = cmp.Or(merged.NetworkMode, network.NetworkDefault)
	if merged.NetworkMode.IsDefault() && s.sinceLocked(namesBridge) {
		merged.NetworkMode = network.NetworkBridge
	}
	if merged.RestartPolicy.Name == "" && s.sinceLocked(namesNoRestart) {
		merged.RestartPolicy.Name = container.RestartPolicyDisabled
	}
	if merged.LogConfig.Type == "" {
		merged.LogConfig = container.LogConfig{Type: "json-file", Config: map[string]string{}}
	}
	if merged.Memory > 0 && merged.MemorySwap == 0 {
		merged.MemorySwap = 2 * merged.Memory
	}
	if merged.ShmSize == 0 {
		merged.ShmSize = 64 << 20
	}
	merged.IpcMode = cmp.Or(merged.IpcMode, "private")
	merged.CgroupnsMode = cmp.Or(merged.CgroupnsMode, "host")
	merged.Runtime = cmp.Or(merged.Runtime, "runc")
	return &merged
}

func (s *Sim) removeContainer(c *call) (answer, error) {
	ctx, cancel := s.ends(c)
	defer cancel()
	s.mu.Lock()
	target, err := s.findLocked(c.id)
	if err == nil {
		err = s.beginRemovalLocked(target, c.flag("force"))
	}
	wait := s.removal
	s.mu.Unlock()
	if err != nil {
		return answer{}, err
	}
	s.sleep(ctx, wait)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.destroyLocked(target, true)
	return answer{status: http.StatusNoContent}, nil
}

// beginRemovalLocked marks a container, after ending it if it may. The caller holds the lock.
func (s *Sim) beginRemovalLocked(c *box, force bool) error {
	switch {
	case c.removing:
		return refuse(http.StatusConflict, "removal of container %s is already in progress", c.id)
	case c.paused && !force:
		return refuse(http.StatusConflict, "You cannot remove a paused container %s. "+
			"Unpause and then stop the container before attempting removal or force remove", c.id)
	case c.running && !force:
		return refuse(http.StatusConflict, "You cannot remove a running container %s. "+
			"Stop the container before attempting removal or force remove", c.id)
	}
	c.removing = true
	if c.running {
		s.signalLocked(c, sigKill)
	}
	return nil
}
