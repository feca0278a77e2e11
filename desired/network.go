package desired

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The networks that every spec may name; the others are those of Rules.AllowedNetworks.
const (
	// NetworkDefault is the network that Lightd makes. A normal spec has an empty string for it.
	NetworkDefault = "default"
	// NetworkNone is none but loopback.
	NetworkNone = "none"
)

// reservedNetworks are those that the engine, or Lightd, has for itself, or that lead to the network of
// the host.
var reservedNetworks = []string{NetworkDefault, NetworkNone, "bridge", "host", "lightd", "ingress", "docker_gwbridge"}

// networkName leaves out what the engine reads as something else, as in container:NAME, and the ids of
// networks.
var networkName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)

// CheckAllowedNetwork checks a name of Rules.AllowedNetworks.
func CheckAllowedNetwork(name string) error {
	switch {
	case !networkName.MatchString(name):
		return fmt.Errorf("%s is not the name of a network: 1 to 63 letters, digits, '_', '.' or '-'", Quote(name))
	case slices.Contains(reservedNetworks, strings.ToLower(name)):
		return fmt.Errorf("%s is a network of the engine's own or of Lightd's: list those that you made; default and none need no listing", Quote(name))
	}
	return nil
}

// checkNetwork checks which network a container is on, and that no port leads to one that has none. It may
// stay on the one that old is on.
func (f *faults) checkNetwork(s, old Spec, allowed []string) {
	switch {
	case s.Network == "", s.Network == old.Network && s.Network != NetworkNone:
	case s.Network == NetworkNone:
		if len(s.Ports) > 0 {
			f.add("ports", "must be empty with network none: nothing reaches a container that has only loopback")
		}
	case !slices.Contains(allowed, s.Network):
		f.add("network", fmt.Sprintf("%s must be one of %s", Quote(s.Network),
			strings.Join(append([]string{NetworkDefault, NetworkNone}, allowed...), ", ")))
	}
}
