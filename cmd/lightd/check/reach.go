package check

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"lightd/controller/firewall"
	"lightd/desired"
	"lightd/httpapi/api"
)

// Places of a machine that no list of directories to mount should have: what is run as root is in the
// first, what belongs to other programs and people in the second.
var (
	systemPlaces = []string{"/bin", "/boot", "/etc", "/lib", "/lib64", "/root", "/sbin", "/usr"}
	sharedPlaces = []string{"/", "/home", "/media", "/mnt", "/opt", "/run", "/tmp", "/var", "/var/lib", "/var/log", "/var/run", "/var/tmp"}
)

// mountsAllowed inspects what specs may mount of the host.
func mountsAllowed(ctx context.Context, n Node, m Machine) []Item {
	const name, remedy = "mounts.allowed", "list directories that are made for containers alone, as /srv/shared"
	closed := n.ClosedPlaces
	if found, err := m.EngineDirectories(ctx); err == nil {
		closed = append(slices.Clone(closed), found...)
	}
	var items []Item
	for _, dir := range n.MountsAllowed {
		i := slices.IndexFunc(closed, func(place string) bool { return desired.Inside(place, dir) })
		_, err := m.Stat(dir)
		switch {
		case slices.Contains(systemPlaces, dir):
			items = append(items, Item{name, Fault, dir + " may be mounted, and programs that root runs or settings that they read are in it: whoever writes specs is root", remedy})
		case slices.Contains(sharedPlaces, dir):
			items = append(items, Item{name, Warning, dir + " may be mounted, which holds what other programs and people of this machine keep", remedy})
		case i >= 0:
			items = append(items, Item{name, Warning, fmt.Sprintf("%s may be mounted but for %s in it, which is closed to containers", dir, closed[i]), remedy})
		case slices.ContainsFunc(systemPlaces, func(place string) bool { return desired.Inside(dir, place) }):
			items = append(items, Item{name, Warning, dir + " may be mounted, which is among the programs and settings of this machine", remedy})
		case err != nil:
			items = append(items, Item{name, Warning, fmt.Sprintf("%s may be mounted and cannot be inspected: %v", dir, err), "make the directory, or take it off the list"})
		}
	}
	switch {
	case len(items) > 0:
		return items
	case len(n.MountsAllowed) == 0:
		return one(name, OK, "no directory of the host may be mounted", "")
	}
	return one(name, OK, strings.Join(n.MountsAllowed, ", ")+" may be mounted: what is below is in the hands of those who write specs", "")
}

// HostPorts inspects which ports of the host containers may reach.
func HostPorts(_ context.Context, n Node, _ Machine) []Item {
	const name, remedy = "allow-host-ports", "list the ports that containers need in network.allow_host_ports, as 53/udp"
	for _, r := range n.HostPorts {
		if r.First == 1 && r.Last == 65535 {
			return one(name, Warning, "containers may reach every "+r.Protocol+" port of this machine (network.allow_host_ports)", remedy)
		}
		for _, l := range n.Listeners {
			_, text, _ := net.SplitHostPort(l.At)
			port, err := strconv.ParseUint(text, 10, 16)
			if l.Network == "tcp" && r.Protocol == "tcp" && err == nil && uint16(port) >= r.First && uint16(port) <= r.Last {
				return one(name, Warning, fmt.Sprintf("containers may reach port %d of this machine, where the daemon's own API is (network.allow_host_ports)", port), remedy)
			}
		}
	}
	if len(n.HostPorts) == 0 {
		return one(name, OK, "containers may reach no port of this machine", "")
	}
	return one(name, OK, "containers may reach a few ports of this machine, and not the daemon's API", "")
}

// firewallItem shows whether the rules are in place that keep containers from the machine, as the
// daemon says, which keeps them.
func firewallItem(n Node, ready Readiness) Item {
	const name = "firewall"
	i := slices.IndexFunc(ready.Warnings, func(d api.Detail) bool { return d.Field == name })
	switch {
	case n.FirewallOff:
		return Item{name, Warning, "the firewall of containers is off: they reach the ports of this machine and the metadata service of a cloud", "set network.firewall to auto, and restart the daemon"}
	case i >= 0:
		return Item{name, Warning, "the firewall of containers is " + ready.Warnings[i].Message, firewallRemedy(ready.Warnings[i].Message)}
	}
	return Item{name, OK, "the firewall of containers is in place", ""}
}

// firewallRemedy is what brings the firewall back that is missing for a reason.
func firewallRemedy(missing string) string {
	switch {
	case strings.Contains(missing, firewall.OtherNamespace):
		return "run both in one network namespace: a container of the daemon with --network host, its service without PrivateNetwork and NetworkNamespacePath; no right and no kernel helps, as the rules must be where the bridges are"
	case strings.Contains(missing, firewall.ByTCP):
		return "name the socket of the engine in docker_host, as unix:///var/run/docker.sock, where it is on this machine; on another one, keep containers from it with rules there"
	}
	return "give the daemon CAP_NET_ADMIN and a kernel with nftables; network.firewall: required starts no container without it"
}
