package simengine

import (
	"fmt"

	"github.com/docker/docker/api/types/container"
)

// Add makes a container as a create call would, and starts it if running. It is for
// filling an engine quickly.
func (s *Sim) Add(name string, config *container.Config, host *container.HostConfig, running bool) (id string, err error) {
	if host == nil {
		host = &container.HostConfig{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.createLocked(name, config, host)
	if err != nil {
		return "", fmt.Errorf("add %s: %w", name, err)
	}
	if running {
		if err := s.startLocked(c); err != nil {
			return "", fmt.Errorf("start %s: %w", name, err)
		}
	}
	return c.id, nil
}

// SetRoot sets the engine's own directory, as a restart with another configuration does, and its
// security options.
func (s *Sim) SetRoot(dir string, security ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.root, s.security = dir, security
}

// Exit lets the first process of a running container end by itself.
func (s *Sim) Exit(name string, code int) error {
	return s.with("end", name, func(c *box) { s.exitLocked(c, code, false) })
}

// SetLayerSize sets how many bytes a container has written outside of its mounts: 0 unless it is set.
func (s *Sim) SetLayerSize(name string, bytes int64) error {
	return s.with("fill", name, func(c *box) { c.layer = bytes })
}

// OutOfMemory emits that a container is out of memory; with its first process killed it
// ends, else a child of it was killed and it continues.
func (s *Sim) OutOfMemory(name string, first bool) error {
	return s.with("kill for memory", name, func(c *box) {
		if first {
			s.exitLocked(c, 128+sigKill, true)
			return
		}
		s.emitLocked(c, "oom", nil)
	})
}

// RestartContainer ends a container and starts it again without a request; its events
// are emitted.
func (s *Sim) RestartContainer(name string) (err error) {
	found := s.with("restart", name, func(c *box) {
		s.exitLocked(c, 0, false)
		err = s.startLocked(c)
	})
	if found != nil {
		return found
	}
	return err
}

// Forget removes a container without an event.
func (s *Sim) Forget(name string) error {
	return s.with("forget", name, func(c *box) { s.destroyLocked(c, false) })
}

// with runs fn on a container under the lock.
func (s *Sim) with(what, name string, fn func(*box)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findLocked(name)
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	fn(c)
	return nil
}

// Inspect returns a container as the engine would describe it.
func (s *Sim) Inspect(name string) (container.InspectResponse, error) {
	var view container.InspectResponse
	err := s.with("inspect", name, func(c *box) { view = s.viewLocked(c) })
	return view, err
}

// Names returns the names of all containers, in no order.
func (s *Sim) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.byName))
	for name := range s.byName {
		names = append(names, name)
	}
	return names
}

// HasImage reports whether an image has a name.
func (s *Sim) HasImage(ref string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refs[withTag(ref)] != nil
}

// ForgetImage has an image gone, whatever is made from it.
func (s *Sim) ForgetImage(ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.findImageLocked(ref)
	if p == nil {
		return
	}
	for _, name := range s.namesLocked(p) {
		s.untag(p, name)
	}
	delete(s.images, p.id)
	s.emitImage(p, "delete", p.id)
}

// Restart cuts everything and comes back at once, as an engine that was restarted. Unless
// live, its containers were ended by it. It remembers no events.
func (s *Sim) Restart(live bool) error {
	s.Refuse()
	s.mu.Lock()
	for _, c := range s.containers {
		if c.running && !live {
			s.exitLocked(c, 128+sigKill, false)
		}
	}
	s.bus.history = nil
	clear(s.execs)
	s.mu.Unlock()
	return s.Up()
}

// Wipe makes the engine come back empty: no containers, and no images that were committed
// or pulled. What is in the registry stays.
func (s *Sim) Wipe() error {
	s.Refuse()
	s.mu.Lock()
	for _, c := range s.containers {
		s.destroyLocked(c, false)
	}
	clear(s.images)
	clear(s.refs)
	clear(s.execs)
	clear(s.volumes)
	s.bus.history = nil
	s.mu.Unlock()
	return s.Up()
}

// CutStreams breaks the open answers of a route, as in "/events"; "" is all. It returns
// how many there were.
func (s *Sim) CutStreams(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cutStreamsLocked(func(st *stream) bool { return route == "" || st.route == route })
}

// CutStreamsOf breaks the open streams about a container, by the name or id under which
// they were requested.
func (s *Sim) CutStreamsOf(target string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cutStreamsLocked(func(st *stream) bool {
		if st.target == target {
			return true
		}
		c, err := s.findLocked(st.target)
		return st.target != "" && err == nil && (c.name == target || c.id == target)
	})
}
