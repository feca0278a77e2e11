package simengine

import (
	"cmp"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/docker/go-connections/nat"
)

// portKey is a port of the host that is bound.
type portKey struct {
	ip    string
	port  int
	proto string
}

// binding is a port of the host that leads to one of a container.
type binding struct {
	portKey
	inside nat.Port
}

// conflicts reports whether the host cannot bind both.
func (k portKey) conflicts(other portKey) bool {
	return k.port == other.port && k.proto == other.proto &&
		(k.ip == other.ip || wildcard(k.ip) || wildcard(other.ip))
}

func wildcard(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err != nil || addr.IsUnspecified()
}

// bindPortsLocked takes the host's ports that a container publishes, all or none. One that is on no
// network publishes none. The caller holds the lock.
func (s *Sim) bindPortsLocked(c *box) error {
	if len(c.joined) == 0 || s.unbridged {
		return nil
	}
	var bound []binding
	for inside, outside := range c.host.PortBindings {
		for _, b := range outside {
			port, err := strconv.Atoi(cmp.Or(b.HostPort, "0"))
			if err != nil {
				return refuse(400, "invalid port specification: %q", b.HostPort)
			}
			key := portKey{cmp.Or(b.HostIP, "0.0.0.0"), port, inside.Proto()}
			if port == 0 {
				key.port = s.freePort(key)
			}
			if err := s.available(c, key); err != nil {
				return err
			}
			bound = append(bound, binding{key, inside})
		}
	}
	for _, b := range bound {
		s.ports[b.portKey] = c.id
	}
	c.bound = bound
	return nil
}

// releasePortsLocked gives back what bindPorts took. The caller holds the lock.
func (s *Sim) releasePortsLocked(c *box) {
	for _, b := range c.bound {
		delete(s.ports, b.portKey)
	}
	c.bound = nil
}

func (s *Sim) available(c *box, key portKey) error {
	for taken, owner := range s.ports {
		if !key.conflicts(taken) {
			continue
		}
		if owner == "" || key.ip != taken.ip {
			return refuse(500, "driver failed programming external connectivity on endpoint %s (%s): "+
				"Error starting userland proxy: listen %s4 %s: bind: address already in use",
				c.name, s.newIDLocked(), key.proto, key.address())
		}
		return refuse(500, "driver failed programming external connectivity on endpoint %s (%s): "+
			"Bind for %s failed: port is already allocated", c.name, s.newIDLocked(), key.address())
	}
	return nil
}

// address formats k as in "0.0.0.0:80".
func (k portKey) address() string { return k.ip + ":" + strconv.Itoa(k.port) }

func (s *Sim) freePort(key portKey) int {
	for key.port = 49153; ; key.port++ {
		free := true
		for taken := range s.ports {
			free = free && !key.conflicts(taken)
		}
		if free {
			return key.port
		}
	}
}

// OccupyPort lets a program outside of Docker hold a port of the host on all addresses,
// so that containers that publish it fail to start; FreePort ends that.
func (s *Sim) OccupyPort(port int, protocol string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ports[portKey{"0.0.0.0", port, protocol}] = ""
}

// Unbridge lets the engine publish no ports from the next start of each container on, as one
// does that is configured to have no bridge; false ends that.
func (s *Sim) Unbridge(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unbridged = on
}

// SlowPorts lets a start and a kill of a container take that long for each port that it publishes.
// As in Docker other calls of the container wait meanwhile, and what began continues without the
// client.
func (s *Sim) SlowPorts(each time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.portTime = each
}

// holdPorts takes the time of the ports of a container that is about to start or to end, and
// returns what lets other calls of it go on.
func (s *Sim) holdPorts(id string, start bool) (release func()) {
	s.mu.Lock()
	c, err := s.findLocked(id)
	if err != nil || c.running == start || c.held != nil || len(c.host.PortBindings) == 0 || s.portTime == 0 {
		s.mu.Unlock()
		return func() {}
	}
	held := make(chan struct{})
	c.held = held
	wait := s.portTime * time.Duration(len(c.host.PortBindings))
	s.mu.Unlock()
	s.sleep(s.ctx, wait)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		c.held = nil
		close(held)
	}
}

// awaitPorts returns when no other call binds or releases the ports of a call's container.
func (s *Sim) awaitPorts(c *call) {
	ctx, cancel := s.ends(c)
	defer cancel()
	for {
		s.mu.Lock()
		target, err := s.findLocked(c.id)
		if err != nil || target.held == nil {
			s.mu.Unlock()
			return
		}
		held := target.held
		s.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			panic(http.ErrAbortHandler)
		}
	}
}

// FreePort undoes OccupyPort.
func (s *Sim) FreePort(port int, protocol string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := portKey{"0.0.0.0", port, protocol}
	if s.ports[key] == "" {
		delete(s.ports, key)
	}
}
