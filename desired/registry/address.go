package registry

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Host returns the host of a registry, which may have a port, in lower case and without the brackets
// of an IPv6 address.
func Host(domain string) string {
	host := strings.ToLower(domain)
	if inside, bracketed := strings.CutPrefix(host, "["); bracketed {
		host, _, _ = strings.Cut(inside, "]")
		return host
	}
	host, _, _ = strings.Cut(host, ":")
	return host
}

// numeric matches a host that a resolver may read as an IPv4 address, in whatever form inet_aton takes:
// one whose last part is a number.
var numeric = regexp.MustCompile(`(^|\.)([0-9]+|0x[0-9a-f]*)$`)

// Check returns an *AddressError for a registry, which may have a port, that is at no public address by its
// name alone: an address in any form, or a name of the machine itself. What a name resolves to is for
// whoever resolves it.
func Check(domain string) error {
	host := Host(domain)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return NotPublic(domain)
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && !Public(addr):
		return NotPublic(domain)
	case err != nil && (numeric.MatchString(host) || strings.Contains(host, ":")):
		return &AddressError{domain, "is an address in no usual form"}
	}
	return nil
}

// AddressError is a registry that no image may be pulled from.
type AddressError struct {
	domain, reason string
}

// Error implements error. It has no address that a name was resolved to: whoever wrote the reference
// learns nothing about the network of the node.
func (e *AddressError) Error() string { return fmt.Sprintf("the registry %q %s", e.domain, e.reason) }

// NotPublic returns the error of a registry that is at no public address. It has the registry with its port, as
// images.allowed has to list it.
func NotPublic(domain string) error {
	return &AddressError{domain, "is at no public address; the operator of the node can list it in images.allowed"}
}

// special are the networks of IANA's special-purpose registries that are not globally reachable, or lead to
// addresses of another kind. Of IPv6 only 2000::/3 is in use for hosts.
var special = parse(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	global = netip.MustParsePrefix("2000::/3")
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
)

func parse(networks ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(networks))
	for i, n := range networks {
		prefixes[i] = netip.MustParsePrefix(n)
	}
	return prefixes
}

// Public reports whether an address is one of the public internet: not loopback, private, link-local,
// shared (CGNAT), multicast, unspecified or reserved, nor one that leads to such an address.
func Public(addr netip.Addr) bool {
	if addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !addr.IsValid() || addr.Is6() && !global.Contains(addr) {
		return false
	}
	for _, network := range special {
		if network.Contains(addr) {
			return false
		}
	}
	return true
}
