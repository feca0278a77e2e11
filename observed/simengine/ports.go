package simengine

import (
	"cmp"
	"net/netip"
	"strconv"

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

// bindPorts takes the host's ports that a container publishes, all or none. One that is on no
// network publishes none. The caller holds the lock.
func (s *Sim) bindPorts(c *box) error {
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

// releasePorts gives back what bindPorts took. The caller holds the lock.
func (s *Sim) releasePorts(c *box) {
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
				c.name, s.newID(), key.proto, key.address())
		}
		return refuse(500, "driver failed programming external connectivity on endpoint %s (%s): "+
			"Bind for %s failed: port is already allocated", c.name, s.newID(), key.address())
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

// FreePort undoes OccupyPort.
func (s *Sim) FreePort(port int, protocol string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := portKey{"0.0.0.0", port, protocol}
	if s.ports[key] == "" {
		delete(s.ports, key)
	}
}
