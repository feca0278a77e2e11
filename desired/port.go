package desired

import (
	"fmt"
	"net/netip"
)

// Protocol is the transport of a port.
type Protocol string

// The two values of Protocol.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Port binds a port of the host to a port of the container.
type Port struct {
	// IP is the host address, in the canonical form of net/netip.
	IP string `json:"ip"`
	// Port is the port on the host; 0 requests the lowest free one of the pool.
	Port int `json:"port"`
	// HostPort is another way to write Port. Normalize leaves it only where the two contradict.
	HostPort int      `json:"host_port,omitempty"`
	Protocol Protocol `json:"protocol"`
	// ContainerPort is the port inside; 0 stands for the same as Port.
	ContainerPort int `json:"container_port"`
}

// Endpoint is the host's side of a binding: what can be held by one container only.
type Endpoint struct {
	IP       string   `json:"ip"`
	Port     int      `json:"port"`
	Protocol Protocol `json:"protocol"`
}

// Endpoint returns the host's side of p.
func (p Port) Endpoint() Endpoint { return Endpoint{IP: p.IP, Port: p.Port, Protocol: p.Protocol} }

// String formats e as "0.0.0.0:25565/tcp".
func (e Endpoint) String() string {
	if addr, err := netip.ParseAddr(e.IP); err == nil {
		return fmt.Sprintf("%s/%s", netip.AddrPortFrom(addr, uint16(e.Port)), e.Protocol)
	}
	return fmt.Sprintf("%s:%d/%s", e.IP, e.Port, e.Protocol)
}

// Overlaps reports whether the host cannot bind both. Any wildcard address, IPv4 or
// IPv6, overlaps every address: an engine that binds one may bind the other too.
func (e Endpoint) Overlaps(other Endpoint) bool {
	if e.Port != other.Port || e.Protocol != other.Protocol {
		return false
	}
	a, errA := netip.ParseAddr(e.IP)
	b, errB := netip.ParseAddr(other.IP)
	if errA != nil || errB != nil {
		return e.IP == other.IP
	}
	return a == b || a.IsUnspecified() || b.IsUnspecified()
}

// PoolPort is a port of the network pool as readers see it.
type PoolPort struct {
	Endpoint
	// InUse is true while the port cannot be assigned: a container holds it, or one that
	// overlaps it, or it was disabled by an operator.
	InUse bool `json:"in_use"`
	// InternalID is the container that holds it, if one does.
	InternalID string `json:"internal_id"`
}
