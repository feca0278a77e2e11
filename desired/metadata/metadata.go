// Package metadata has the addresses where clouds serve credentials and the configuration of a machine.
// No container reaches them, and Lightd sends nothing there.
package metadata

import "net/netip"

// Networks are those of AWS, Google, Azure, Alibaba and Oracle, and all link-local addresses.
var Networks = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("192.0.0.192/32"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fd00:ec2::254/128"),
	netip.MustParsePrefix("fd20:ce::254/128"),
}

// Contains reports whether an address is one of Networks.
func Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, network := range Networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}
