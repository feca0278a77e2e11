package desired

import (
	"cmp"
	"net/netip"
	"strings"
)

// anyAddress is the host address of a port that names none.
const anyAddress = "0.0.0.0"

// Normalize returns a copy of s in which whatever can be written in several ways is
// written in one, so that equal intentions are equal values. What it does not
// understand it leaves for Validate to refuse.
func (s Spec) Normalize() Spec {
	s = s.Clone()
	if s.Ports == nil {
		s.Ports = []Port{}
	}
	for i := range s.Ports {
		s.Ports[i] = s.Ports[i].Normalize()
	}
	s.Mount, s.Env, s.Labels, s.Tmpfs = orEmpty(s.Mount), orEmpty(s.Env), orEmpty(s.Labels), orEmpty(s.Tmpfs)
	if s.Limits.PIDs == 0 {
		s.Limits.PIDs = DefaultPIDs
	}
	if s.Network == NetworkDefault {
		s.Network = "" // as in a spec that was stored before there was a choice
	}
	s.Health.normalize()
	s.Install.normalize()
	s.Stop.Signal = NormalSignal(s.Stop.Signal)
	return s
}

// Normalize returns p with the canonical address, its host_port as its port, tcp where no protocol is
// named, and the same port inside where none is. A port that is still to be assigned keeps an
// empty address: any of the pool will do.
func (p Port) Normalize() Port {
	if p.Port == 0 || p.Port == p.HostPort {
		p.Port, p.HostPort = cmp.Or(p.HostPort, p.Port), 0
	}
	if p.IP == "" && p.Port != 0 {
		p.IP = anyAddress
	}
	p.IP = NormalIP(p.IP)
	p.Protocol = NormalProtocol(p.Protocol)
	if p.ContainerPort == 0 && p.Port >= 1 && p.Port <= maxPort {
		p.ContainerPort = p.Port
	}
	return p
}

// NormalIP returns the canonical form of an address, or ip as it is when it is none.
// An IPv4 address that is wrapped in IPv6 is the IPv4 address.
func NormalIP(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	return addr.Unmap().String()
}

// NormalProtocol returns p in lower case, tcp when it is empty.
func NormalProtocol(p Protocol) Protocol {
	if p == "" {
		return TCP
	}
	return Protocol(strings.ToLower(string(p)))
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}
