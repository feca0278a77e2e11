package engine

import (
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"strconv"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"lightd/observed"
)

// Docker's names of the options of a network.
const (
	optionBridge     = "com.docker.network.bridge.name"
	optionICC        = "com.docker.network.bridge.enable_icc"
	optionMasquerade = "com.docker.network.bridge.enable_ip_masquerade"
	optionMTU        = "com.docker.network.driver.mtu"
)

// ownNetwork is the network that the engine has made itself, as its configuration says.
const ownNetwork = "bridge"

// Network returns the network with a name; ok is false when there is none. It lists, as an
// inspection has every container of the network in its answer. Calls at the same time share a list.
func (e *Engine) Network(ctx context.Context, name string) (n observed.Network, ok bool, err error) {
	lists, _ := e.networks.LoadOrStore(name, new(shared[namedNetwork]))
	found, err := lists.(*shared[namedNetwork]).do(ctx, func(ctx context.Context) (n namedNetwork, err error) {
		err = e.call(ctx, e.timeouts.Query, "list network", name, func(ctx context.Context, s *session) error {
			found, err := s.networks(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
			n.Network, n.exists = exactly(name, found) // the filter finds parts of names too
			return err
		})
		return n, err
	})
	return found.Network, found.exists, err
}

// namedNetwork is the network of a name, if there is one.
type namedNetwork struct {
	observed.Network
	exists bool
}

// Networks returns the networks that have one of the names.
func (e *Engine) Networks(ctx context.Context, names []string) (list []observed.Network, err error) {
	err = e.call(ctx, e.timeouts.Query, "list networks of", e.host, func(ctx context.Context, s *session) error {
		found, err := s.networks(ctx, network.ListOptions{})
		list = nil
		for _, name := range names {
			if one, ok := exactly(name, found); ok {
				list = append(list, one)
			}
		}
		return err
	})
	return list, err
}

// NetworkOn returns the network whose interface on the host has a name; ok is false when there is none.
func (e *Engine) NetworkOn(ctx context.Context, bridge string) (n observed.Network, ok bool, err error) {
	err = e.call(ctx, e.timeouts.Query, "find the network of interface", bridge, func(ctx context.Context, s *session) error {
		found, err := s.networks(ctx, network.ListOptions{})
		at := slices.IndexFunc(found, func(one network.Summary) bool { return bridgeOf(one) == bridge })
		if ok = at >= 0; ok {
			n = translateNetwork(found[at])
		}
		return err
	})
	return n, ok, err
}

// exactly returns the network of a list that has a name.
func exactly(name string, list []network.Summary) (n observed.Network, ok bool) {
	for _, one := range list {
		if one.Name == name {
			ambiguous := ok
			n, ok = translateNetwork(one), true
			n.Ambiguous = ambiguous
		}
	}
	return n, ok
}

// bridgeOf returns the name of the interface that a network of the driver bridge has on the host: the one
// that it was given, or the engine's.
func bridgeOf(from network.Summary) string {
	if given := from.Options[optionBridge]; given != "" || from.Driver != "bridge" || len(from.ID) < bridgeDigits {
		return given
	}
	return "br-" + from.ID[:bridgeDigits]
}

// bridgeDigits is how much of a network's id the engine puts into the name of its interface.
const bridgeDigits = 12

func translateNetwork(from network.Summary) observed.Network {
	icc, err := strconv.ParseBool(from.Options[optionICC])
	var gateways []string
	for _, pool := range from.IPAM.Config {
		if pool.Gateway != "" {
			gateways = append(gateways, pool.Gateway)
		}
	}
	return observed.Network{
		Gateways:  gateways,
		NetworkID: from.ID, Name: from.Name, Driver: from.Driver, Scope: from.Scope, Bridge: bridgeOf(from),
		ICC: icc || err != nil, Internal: from.Internal, Marked: from.Labels[observed.LabelNetwork] != "",
	}
}

// CreateNetwork creates a network. What the operator has configured of the engine's own network, and
// Docker gives to no other one, it has too: the size of its packets, whether it has IPv6, and whether
// what leaves it has the host's address. Conflict means that there is one of that name.
func (e *Engine) CreateNetwork(ctx context.Context, n observed.Network) (networkID string, err error) {
	err = e.act(ctx, e.timeouts.Create, "create network", n.Name, func(ctx context.Context, s *session) error {
		options := network.CreateOptions{
			Driver: n.Driver, Internal: n.Internal,
			Options: map[string]string{optionBridge: n.Bridge, optionICC: strconv.FormatBool(n.ICC)},
			Labels:  map[string]string{observed.LabelNetwork: "true"},
		}
		own, err := s.NetworkInspect(ctx, ownNetwork, network.InspectOptions{})
		switch {
		case err == nil:
			followNetwork(&options, own)
		case Classify(err) != NotFound: // "bridge": "none" in the engine's configuration
			return err
		}
		made, err := s.NetworkCreate(ctx, n.Name, options)
		networkID = made.ID
		return err
	})
	return networkID, err
}

// followNetwork copies into a creation what the engine's own network was configured to have.
func followNetwork(options *network.CreateOptions, own network.Inspect) {
	for _, name := range []string{optionMTU, optionMasquerade} {
		if value, given := own.Options[name]; given {
			options.Options[name] = value
		}
	}
	if own.EnableIPv6 {
		// Before 27.0 Docker picks no IPv6 addresses by itself.
		options.EnableIPv6 = &own.EnableIPv6
		options.IPAM = &network.IPAM{Config: []network.IPAMConfig{{Subnet: localPrefix().String()}}}
	}
}

// localPrefix returns a network of addresses that are unique and routed nowhere, as RFC 4193 makes them.
func localPrefix() netip.Prefix {
	var address [16]byte
	_, _ = rand.Read(address[1:6]) // it never fails
	address[0] = 0xfd
	return netip.PrefixFrom(netip.AddrFrom16(address), 64)
}

// RemoveNetwork removes a network. Refused means that containers are connected to it, NotFound that
// it is gone already.
func (e *Engine) RemoveNetwork(ctx context.Context, networkID string) error {
	return e.act(ctx, e.timeouts.Remove, "remove network", networkID, func(ctx context.Context, s *session) error {
		return s.NetworkRemove(ctx, networkID)
	})
}

// Rejoin connects a container that does not run to the network of a name, where it was connected to an
// earlier one of that name, by whose id Docker still searches for it.
func (e *Engine) Rejoin(ctx context.Context, containerID, name string) error {
	return e.act(ctx, e.timeouts.Kill, "connect to network", name+" container "+containerID, func(ctx context.Context, s *session) error {
		if err := s.NetworkDisconnect(ctx, name, containerID, true); err != nil {
			return err
		}
		return s.NetworkConnect(ctx, name, containerID, nil)
	})
}
