package firewall

import (
	"errors"
	"fmt"
	"strings"

	"lightd/desired"
)

// ParsePorts reads ports as 53, 53/udp or 8000-8010/tcp; without a protocol they are of both.
func ParsePorts(list []string) ([]PortRange, error) {
	var ports []PortRange
	for _, text := range list {
		numbers, protocol, given := strings.Cut(text, "/")
		if given && protocol != "tcp" && protocol != "udp" {
			return nil, fmt.Errorf("%q is not of tcp or udp", text)
		}
		from, to, err := desired.ParsePorts(numbers)
		if errors.Is(err, desired.ErrBackwards) {
			return nil, fmt.Errorf("%q: %w", text, err)
		} else if err != nil {
			return nil, fmt.Errorf("%q is not a port as in 53, 53/udp or 8000-8010/tcp", text)
		}
		for _, p := range []string{"tcp", "udp"} {
			if !given || p == protocol {
				ports = append(ports, PortRange{uint16(from), uint16(to), p})
			}
		}
	}
	return ports, nil
}
