package desired

import (
	"fmt"
	"net/netip"
)

// maxPort is the highest port number.
const maxPort = 65535

// Validate reports what is wrong with e as a *ValidationError.
func (e Endpoint) Validate() error {
	var f faults
	f.checkIP("ip", e.IP)
	if e.Port < 1 || e.Port > maxPort {
		f.add("port", "must be from 1 to 65535")
	}
	oneOf(&f, "protocol", e.Protocol, TCP, UDP)
	return f.err()
}

func (f *faults) checkPorts(ports []Port) {
	if len(ports) > maxPorts {
		f.add("ports", fmt.Sprintf("must have at most %d entries", maxPorts))
		return
	}
	var seen Overlaps[int]
	for i, p := range ports {
		field := fmt.Sprintf("ports[%d]", i)
		f.checkPort(field, p)
		if p.Port == 0 {
			continue
		}
		if j, overlaps := seen.Find(p.Endpoint()); overlaps {
			f.add(field, fmt.Sprintf("%s overlaps ports[%d]", p.Endpoint(), j))
		}
		seen.Add(p.Endpoint(), i)
	}
}

func (f *faults) checkPort(field string, p Port) {
	if p.IP != "" || p.Port != 0 {
		f.checkIP(field+".ip", p.IP)
	}
	if p.Port < 0 || p.Port > maxPort {
		f.add(field+".port", "must be from 1 to 65535, or 0 to be assigned")
	}
	if p.HostPort != 0 {
		f.add(field+".host_port", fmt.Sprintf("is another way to write port, which is %d here: give one of them, or the same number", p.Port))
	}
	if p.ContainerPort < 0 || p.ContainerPort > maxPort {
		f.add(field+".container_port", "must be from 1 to 65535, or 0 for the same as port")
	}
	oneOf(f, field+".protocol", p.Protocol, TCP, UDP)
}

func (f *faults) checkIP(field, ip string) {
	addr, err := netip.ParseAddr(ip)
	switch {
	case ip == "":
		f.add(field, "is required")
	case err != nil:
		f.add(field, Quote(ip)+" is no IP address")
	case addr.Zone() != "":
		f.add(field, "must not have a zone")
	case addr.IsMulticast():
		f.add(field, "must not be a multicast address")
	}
}
