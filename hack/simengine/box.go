package simengine

import (
	"cmp"
	"maps"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
)

// box is a container. The lock of the Sim guards it, unless a field documents otherwise. What
// its pointers show is replaced and never changed, so that it can be read without the lock.
type box struct {
	id, name string
	created  time.Time
	image    string // as it was requested
	picture  *picture
	config   *container.Config
	host     *container.HostConfig

	running, paused, removing, oomKilled bool
	pid, exitCode                        int
	failure                              string
	started, finished                    time.Time

	held   chan struct{} // while its ports are bound or released; closed at the end of that
	joined []string      // names of networks
	// joinedIDs are the ids of networks by their names, as of the last time that it ran on them: Docker
	// searches for a network by this one then.
	joinedIDs map[string]string
	bound     []binding
	process   *Process // while a Program runs in it
	changes   []container.FilesystemChange
	layer     int64 // bytes
	stats     Figures

	output   *output
	input    *input
	terminal lineDiscipline
	begun    chan struct{} // closed at the start of a run, and replaced at its end
	exited   chan struct{} // closed at the end of a run, and replaced at the start of one
	gone     chan struct{} // closed at its removal
}

func newBox() *box {
	c := &box{begun: make(chan struct{}), exited: make(chan struct{}), gone: make(chan struct{})}
	close(c.exited)
	return c
}

// status is the phase as Docker words it.
func (c *box) status() string {
	switch {
	case c.paused:
		return "paused"
	case c.running:
		return "running"
	case c.removing:
		return "removing"
	case c.started.IsZero():
		return "created"
	default:
		return "exited"
	}
}

// init reports whether docker-init runs in front of the program.
func (c *box) init() bool { return c.host.Init != nil && *c.host.Init }

// command is what the container runs.
func (c *box) command() []string {
	entry, args := []string(c.config.Entrypoint), []string(c.config.Cmd)
	return append(append([]string{}, entry...), args...)
}

// emitLocked emits an event of the container. The caller holds the lock.
func (s *Sim) emitLocked(c *box, action string, more map[string]string) {
	attributes := maps.Clone(c.config.Labels)
	if attributes == nil {
		attributes = map[string]string{}
	}
	maps.Copy(attributes, map[string]string{"image": c.image, "name": c.name})
	maps.Copy(attributes, more)
	s.publishLocked(Message{
		Type: events.ContainerEventType, Action: events.Action(action),
		Actor: events.Actor{ID: c.id, Attributes: attributes},
	})
}

// remember keeps the id of a network that the container runs on. The caller holds the lock.
func (c *box) remember(n *segment) {
	if c.joinedIDs == nil {
		c.joinedIDs = map[string]string{}
	}
	c.joinedIDs[n.name] = n.id
}

// startLocked makes the process of a container. The caller holds the lock.
func (s *Sim) startLocked(c *box) error {
	var joined []*segment
	for _, name := range c.joined {
		ref := cmp.Or(c.joinedIDs[name], name)
		n := s.networkLocked(ref)
		if n == nil {
			c.exitCode, c.failure = 128, "network "+ref+" not found"
			return refuse(404, "%s", c.failure)
		}
		joined = append(joined, n)
	}
	if err := s.bindPortsLocked(c); err != nil {
		c.exitCode, c.failure = 128, err.(refusal).message
		if s.sinceLocked(forgetsUnjoined) { // ports are bound where the first network is joined
			c.joined, joined = c.joined[1:], joined[1:]
		}
		for _, n := range joined {
			s.emitNetwork(n, "disconnect", c)
		}
		return err
	}
	for _, n := range joined {
		c.remember(n)
		s.emitNetwork(n, "connect", c)
	}
	s.pids++
	c.running, c.paused, c.pid = true, false, s.pids
	c.exitCode, c.failure = 0, ""
	c.started = s.now().UTC()
	c.exited = make(chan struct{})
	close(c.begun)
	s.mountPointsLocked(c)
	s.emitLocked(c, "start", nil)
	s.launchLocked(c)
	return nil
}

// mountPointsLocked adds what a start leaves in a container's file system. The caller holds the lock.
func (s *Sim) mountPointsLocked(c *box) {
	if c.init() {
		c.change("/sbin", container.ChangeModify)
		c.change("/sbin/docker-init", container.ChangeAdd)
	}
	for _, m := range c.mounts() {
		c.change(m.Destination, container.ChangeAdd)
	}
}

// exitLocked ends the run of a container. The caller holds the lock.
func (s *Sim) exitLocked(c *box, code int, oom bool) {
	if !c.running {
		return
	}
	c.running, c.paused, c.pid = false, false, 0
	c.exitCode, c.oomKilled = code, oom
	c.finished = s.now().UTC()
	if c.process != nil {
		c.process.cancel()
		c.process = nil
	}
	s.releasePortsLocked(c)
	if c.output != nil {
		c.output.end(c.finished)
	}
	c.input, c.terminal = nil, lineDiscipline{}
	if oom {
		s.emitLocked(c, "oom", nil)
	}
	die := func() { s.emitLocked(c, "die", map[string]string{"exitCode": strconv.Itoa(code)}) }
	if !s.sinceLocked(leavesFirst) {
		die()
	}
	for _, name := range c.joined {
		if n := s.networkLocked(name); n != nil {
			s.emitNetwork(n, "disconnect", c)
		}
	}
	if s.sinceLocked(leavesFirst) {
		die()
	}
	c.begun = make(chan struct{})
	close(c.exited)
	if c.host.AutoRemove {
		s.destroyLocked(c, true)
	}
}

// destroyLocked takes a container out of the world. The caller holds the lock.
func (s *Sim) destroyLocked(c *box, emitted bool) {
	if s.containers[c.id] != c {
		return
	}
	delete(s.containers, c.id)
	delete(s.byName, c.name)
	if c.running {
		c.running = false
		if c.process != nil {
			c.process.cancel()
		}
		s.releasePortsLocked(c)
		if c.output != nil {
			c.output.end(s.now())
		}
		close(c.exited)
	}
	if emitted {
		s.emitLocked(c, "destroy", nil)
	}
	close(c.gone)
}

// outLocked returns the output of a container, which is made when it is first needed. The
// caller holds the lock.
func (s *Sim) outLocked(c *box) *output {
	if c.output == nil {
		c.output = &output{limit: s.options.LogBytes, readers: map[*reader]struct{}{}}
	}
	return c.output
}

// inLocked returns the standard input of the present or next run. The caller holds the lock.
func (c *box) inLocked() *input {
	if c.input == nil {
		c.input = &input{chunks: make(chan []byte, 64), ended: make(chan struct{})}
	}
	return c.input
}

// change notes a difference from the image.
func (c *box) change(path string, kind container.ChangeType) {
	for i, was := range c.changes {
		if was.Path == path {
			c.changes[i].Kind = kind
			return
		}
	}
	c.changes = append(c.changes, container.FilesystemChange{Path: path, Kind: kind})
}
