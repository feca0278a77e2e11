package images

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"lightd/desired/registry"
)

// Registries keeps pulls to public addresses where the operator has listed no other. It is right
// about what a name resolves to now: the engine resolves it again, and follows the registry to
// wherever that leads it.
type Registries struct {
	// Unlisted returns the registry of an image, with its port, and empty where the operator has listed it.
	Unlisted func(ref string) string
	// Lookup resolves a name; nil stands for the resolver of the system.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	// Own returns the addresses of this machine, which are its own services even where they are
	// public; nil stands for those of its interfaces.
	Own func() ([]netip.Addr, error)
}

// lookupTime bounds the resolution of a name.
const lookupTime = 5 * time.Second

// Check returns a *registry.AddressError for an image whose registry is at an address that is not
// public. A name that does not resolve passes: the engine, which may have a proxy for it, finds out.
func (r Registries) Check(ctx context.Context, ref string) error {
	domain := r.Unlisted(ref)
	if domain == "" {
		return nil
	}
	if err := registry.Check(domain); err != nil {
		return err
	}
	addresses, err := r.lookup(ctx, registry.Host(domain))
	if err != nil || len(addresses) == 0 {
		return ctx.Err()
	}
	own, err := r.own()
	if err != nil {
		return fmt.Errorf("list the addresses of this machine: %w", err)
	}
	for _, addr := range addresses {
		addr = addr.Unmap()
		if !registry.Public(addr) {
			return registry.NotPublic(domain)
		}
		for _, mine := range own {
			if addr == mine.Unmap().WithZone("") {
				return registry.NotPublic(domain)
			}
		}
	}
	return nil
}

func (r Registries) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	if r.Lookup != nil {
		return r.Lookup(ctx, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

func (r Registries) own() ([]netip.Addr, error) {
	if r.Own != nil {
		return r.Own()
	}
	list, err := net.InterfaceAddrs()
	var own []netip.Addr
	for _, a := range list {
		if network, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(network.IP); ok {
				own = append(own, addr)
			}
		}
	}
	return own, err
}
