package desired

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// PortRange names ports of the pool: one, or a range such as "25565-25600".
type PortRange struct {
	IP       string   `json:"ip"`
	Port     *int     `json:"port,omitempty"`
	Ports    *string  `json:"ports,omitempty"`
	Protocol Protocol `json:"protocol,omitempty"`
}

// Endpoints returns the ports that r names.
func (r PortRange) Endpoints() ([]Endpoint, error) {
	switch {
	case r.Port == nil && r.Ports == nil:
		return nil, Invalid("port", "or ports is required")
	case r.Port != nil && r.Ports != nil:
		return nil, Invalid("ports", "must not be given together with port")
	}
	first := Endpoint{IP: NormalIP(r.IP), Protocol: NormalProtocol(r.Protocol)}
	last := 0
	if r.Port != nil {
		first.Port, last = *r.Port, *r.Port
	} else {
		var err error
		if first.Port, last, err = ParsePorts(*r.Ports); errors.Is(err, ErrBackwards) {
			return nil, Invalid("ports", err.Error())
		} else if err != nil {
			return nil, Invalid("ports", `must be a range such as "25565-25600", of ports from 1 to 65535`)
		}
	}
	eps := make([]Endpoint, 0, last-first.Port+1)
	for port := first.Port; port <= last; port++ {
		eps = append(eps, Endpoint{IP: first.IP, Port: port, Protocol: first.Protocol})
	}
	return eps, nil
}

// ParsePorts reads a port, or a range such as "25565-25600" whose ends belong to it.
func ParsePorts(text string) (first, last int, err error) {
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	first, errLow := ParsePort(low)
	last, errHigh := ParsePort(high)
	if errLow != nil || errHigh != nil {
		return 0, 0, errPort
	}
	if first > last {
		return 0, 0, fmt.Errorf("%w: it goes from %d down to %d", ErrBackwards, first, last)
	}
	return first, last, nil
}

// ErrBackwards refuses a range whose first port is above its last.
var ErrBackwards = errors.New("the range is backwards")

var errPort = errors.New("not a port from 1 to 65535")

// ParsePort reads the number of a port.
func ParsePort(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, errPort
	}
	return int(n), nil
}
