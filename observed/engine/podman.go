package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"

	"lightd/observed"
)

// Podman serves Docker's API with differences. Each one that matters is translated here, in a session
// with a Podman, so that the rest of the package knows Docker's words alone.

// podmanServer is what the header Server of each of Podman's responses begins with.
const podmanServer = "Libpod/"

// podmanAPI is the version of Podman's own API, which it serves beside Docker's since 4.0.
const podmanAPI = "/v4.0.0/libpod"

// anyAddress is what a port is bound to for all addresses.
const anyAddress = "0.0.0.0"

// podmanNetwork is Podman's own name of the network that Docker calls ownNetwork.
const podmanNetwork = "podman"

// given is what Podman does not show of a container as it was asked for. It is kept in a label.
type given struct {
	Image string
	Log   container.LogConfig
	// Env are the names of the variables that were asked for and that Podman may set by itself.
	Env []string
	// Cgroupns is what a Podman on cgroup v1 accepts and has no effect there.
	Cgroupns container.CgroupnsMode
}

// podmanEnv are the variables that Podman adds to those of the image and of a creation.
var podmanEnv = []string{"HOME", "HOSTNAME", "PATH", "TERM", "container"}

// forCreation writes a creation for the engine of s.
func (s *session) forCreation(config *container.Config, host *container.HostConfig) error {
	if !s.podman {
		return nil
	}
	asked := given{Image: config.Image, Log: host.LogConfig, Cgroupns: host.CgroupnsMode}
	for _, one := range config.Env {
		if name, _, _ := strings.Cut(one, "="); slices.Contains(podmanEnv, name) {
			asked.Env = append(asked.Env, name)
		}
	}
	label, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	config.Labels = maps.Clone(config.Labels)
	config.Labels[observed.LabelGiven] = string(label)
	s.forLimits(&host.Resources)
	for _, bindings := range host.PortBindings {
		for i := range bindings {
			if bindings[i].HostIP == anyAddress { // a Podman 4 would forward no packet to it
				bindings[i].HostIP = ""
			}
		}
	}
	return nil
}

// podmanPeriod is the period, in microseconds, of a limit of the CPU.
const podmanPeriod = 100_000

// forLimits writes limits for the engine of s: Podman's update leaves NanoCPUs as they are.
func (s *session) forLimits(r *container.Resources) {
	if s.podman && r.NanoCPUs > 0 {
		r.CPUPeriod, r.CPUQuota, r.NanoCPUs = podmanPeriod, r.NanoCPUs/(1e9/podmanPeriod), 0
	}
}

// forCommit writes a commit for the engine of s: Podman requires a body.
func (s *session) forCommit(o *container.CommitOptions) {
	if s.podman {
		o.Config = &container.Config{}
	}
}

// asDocker writes a container that the engine of s shows as Docker would.
func (s *session) asDocker(ctx context.Context, c *container.InspectResponse) error {
	if !s.podman {
		return nil
	}
	var own struct {
		BoundingCaps []string
		HostConfig   struct{ CgroupMode string }
	}
	if err := s.libpod(ctx, "/containers/"+c.ID+"/json", &own); err != nil {
		return missing(err)
	}
	if !c.HostConfig.Privileged {
		c.HostConfig.CapDrop, c.HostConfig.CapAdd = []string{observed.AllCapabilities}, own.BoundingCaps
	}
	c.State.Status = dockerState(c.State.Status)
	s.clean.check(c)
	c.HostConfig.CgroupnsMode = container.CgroupnsMode(own.HostConfig.CgroupMode)
	// These are what Podman calls the modes that Docker leaves empty.
	if c.HostConfig.PidMode == "private" {
		c.HostConfig.PidMode = ""
	}
	if c.HostConfig.UTSMode == "private" {
		c.HostConfig.UTSMode = ""
	}
	if c.NetworkSettings != nil {
		s.dockerNetworks(c.NetworkSettings.Networks)
		if names := slices.Collect(maps.Keys(c.NetworkSettings.Networks)); c.HostConfig.NetworkMode == "bridge" && len(names) == 1 {
			c.HostConfig.NetworkMode = container.NetworkMode(names[0])
		}
	}
	c.Config.Image = familiar(c.Config.Image)
	var asked given
	if json.Unmarshal([]byte(c.Config.Labels[observed.LabelGiven]), &asked) != nil {
		return nil // it is not of our making
	}
	if canonicalOf(asked.Image) == canonicalOf(c.Config.Image) {
		c.Config.Image = asked.Image
	}
	if s.cgroupV1 {
		c.HostConfig.CgroupnsMode = asked.Cgroupns
	}
	if asked.Log.Type == c.HostConfig.LogConfig.Type {
		c.HostConfig.LogConfig = asked.Log
	}
	c.Config.Env = slices.DeleteFunc(c.Config.Env, func(one string) bool {
		name, _, _ := strings.Cut(one, "=")
		return slices.Contains(podmanEnv, name) && !slices.Contains(asked.Env, name)
	})
	return nil
}

// podmanStates are Podman's words for the states of a container, and Docker's. One that is stopped has ended,
// and its cleanup is not over.
var podmanStates = map[string]string{"configured": "created", "initialized": "created", "stopping": "running", "stopped": "exited"}

// dockerState returns Docker's word for a state of a container.
func dockerState(state string) string { return cmp.Or(podmanStates[state], state) }

// attachable returns ErrNotRunning for a container that does not run on a Podman. Podman would prepare it for another
// start: it forgets the exit code, holds the ports, and answers no earlier than that start.
func (e *Engine) attachable(ctx context.Context, containerID string) error {
	s, err := e.session(ctx)
	if err != nil || !s.podman {
		return err
	}
	return e.call(ctx, e.timeouts.Query, "inspect container", containerID, func(ctx context.Context, s *session) error {
		found, err := s.ContainerInspect(ctx, containerID)
		switch {
		case err != nil:
			return missing(err)
		case found.ContainerJSONBase == nil || found.State == nil:
			return fmt.Errorf("%w: half of an answer", cerrdefs.ErrInternal)
		case !found.State.Running && !found.State.Paused:
			return ErrNotRunning
		}
		return nil
	})
}

// cleanRuns are the runs in which a Podman has shown no process that was killed for memory, by container. Podman
// shows such a process in all later runs too.
type cleanRuns struct {
	mu        sync.Mutex
	startedAt map[string]string
}

// check takes the mark of a killed process off a container whose present run was never shown without it.
func (r *cleanRuns) check(c *container.InspectResponse) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case c.State.Running && !c.State.OOMKilled:
		r.startedAt[c.ID] = c.State.StartedAt
	case r.startedAt[c.ID] != c.State.StartedAt:
		c.State.OOMKilled = false
	}
}

// keep drops what is kept of containers that a list does not have.
func (r *cleanRuns) keep(list []Listed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.startedAt, func(containerID, _ string) bool {
		return !slices.ContainsFunc(list, func(c Listed) bool { return c.ContainerID == containerID })
	})
}

// missing gives an error of what was removed while Podman looked at it the class NotFound.
func missing(err error) error {
	if err != nil && Classify(err) == Other && strings.Contains(err.Error(), "no such container") {
		return fmt.Errorf("%w: %w", cerrdefs.ErrNotFound, err)
	}
	return err
}

// dockerNetworks gives Podman's own network the name that Docker has for it.
func (s *session) dockerNetworks(all map[string]*network.EndpointSettings) {
	if own, found := all[podmanNetwork]; found && s.podman {
		delete(all, podmanNetwork)
		all[ownNetwork] = own
	}
}

// networks lists networks as Docker does. Podman shows the interface of a network in its own API alone.
// Podman has no option that keeps the containers of a network apart: on the one that Lightd makes the firewall
// of containers does. Its gateways are left out, as Podman makes the interface with the first container.
func (s *session) networks(ctx context.Context, o network.ListOptions) ([]network.Summary, error) {
	found, err := s.NetworkList(ctx, o)
	if err != nil || !s.podman {
		return found, err
	}
	var own []struct {
		ID     string `json:"id"`
		Bridge string `json:"network_interface"`
	}
	if err := s.libpod(ctx, "/networks/json", &own); err != nil {
		return nil, err
	}
	for i := range found {
		found[i].Options = maps.Clone(found[i].Options)
		if found[i].Options == nil {
			found[i].Options = map[string]string{}
		}
		for _, one := range own {
			if one.ID == found[i].ID {
				found[i].Options[optionBridge] = one.Bridge
			}
		}
		if found[i].Labels[observed.LabelNetwork] != "" {
			found[i].Options[optionICC] = "false"
			found[i].IPAM.Config = nil
		}
	}
	return found, nil
}

// libpod requests a path of Podman's own API and decodes the answer.
func (s *session) libpod(ctx context.Context, path string, into any) error {
	body, err := s.get(ctx, podmanAPI+path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("%w: read %s: %w", cerrdefs.ErrInternal, path, err)
	}
	return nil
}

// familiar returns a name of an image without the registry that Podman puts in front of each: Docker's
// own, or none.
func familiar(ref string) string {
	if named, err := reference.ParseNormalizedNamed(strings.TrimPrefix(ref, "localhost/")); err == nil {
		return reference.FamiliarString(named)
	}
	return ref
}

// canonicalOf returns the one form of all names of an image; of what is none, itself.
func canonicalOf(ref string) string {
	named, err := reference.ParseNormalizedNamed(strings.TrimPrefix(ref, "localhost/"))
	if err != nil {
		return ref
	}
	return reference.TagNameOnly(named).String()
}

// familiarTags has images named as Docker names them.
func (s *session) familiarTags(tags []string) []string {
	if s.podman {
		for i := range tags {
			tags[i] = familiar(tags[i])
		}
	}
	return tags
}

// wholeID is the id of an image as Podman writes it at times, without the algorithm.
var wholeID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// withDigest returns the id of an image as Docker writes it.
func withDigest(id string) string {
	if wholeID.MatchString(id) {
		return "sha256:" + id
	}
	return id
}

// images lists images, named as Docker names them.
func (s *session) images(ctx context.Context, o image.ListOptions) ([]image.Summary, error) {
	found, err := s.ImageList(ctx, o)
	for i := range found {
		found[i].RepoTags = s.familiarTags(found[i].RepoTags)
	}
	return found, err
}

// podmanActions are Podman's words for what happens to things of a type, and Docker's.
var podmanActions = map[events.Type]map[events.Action]events.Action{
	events.ContainerEventType: {"died": events.ActionDie, "remove": events.ActionDestroy},
	events.VolumeEventType:    {"remove": events.ActionDestroy},
	events.ImageEventType:     {"remove": events.ActionDelete, "loadfromarchive": events.ActionLoad},
}

// eventFilter asks for Podman's words too.
func (s *session) eventFilter(f filters.Args) filters.Args {
	if !s.podman || !f.Contains("event") {
		return f
	}
	f = f.Clone()
	for _, words := range podmanActions {
		for word := range words {
			f.Add("event", string(word))
		}
	}
	return f
}

// dockerEvent writes an event as Docker would.
func (s *session) dockerEvent(m events.Message) events.Message {
	if !s.podman {
		return m
	}
	if word, found := podmanActions[m.Type][m.Action]; found {
		m.Action = word
	}
	switch name, isNetwork := m.Actor.Attributes["network"]; {
	case m.Type == events.NetworkEventType && isNetwork:
		m.Actor.Attributes = map[string]string{"name": name}
		if m.Action == events.ActionConnect || m.Action == events.ActionDisconnect {
			m.Actor.Attributes["container"] = m.Actor.ID
		}
	case m.Type == events.ImageEventType && wholeID.MatchString(m.Actor.ID):
		m.Actor.ID = withDigest(m.Actor.ID)
	}
	if code := m.Actor.Attributes["containerExitCode"]; code != "" && m.Actor.Attributes["exitCode"] == "" {
		m.Actor.Attributes["exitCode"] = code
	}
	return m
}

// learn completes a new session with a Podman.
func (s *session) learn(ctx context.Context) error {
	if !s.podman {
		return nil
	}
	info, err := s.Info(ctx)
	s.cgroupV1 = info.CgroupVersion == "1"
	return err
}

// isPodman reports whether an answer is one of Podman's, and its version.
func isPodman(answer http.Header) (version string, is bool) {
	_, version, is = strings.Cut(answer.Get("Server"), podmanServer)
	version, _, _ = strings.Cut(version, " ")
	return version, is
}
