package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"lightd/desired"
)

// MaxPoolChange bounds how many ports one call adds or deletes.
const MaxPoolChange = 32768

// normalEndpoint returns e in its canonical form, or what is wrong with it.
func normalEndpoint(e desired.Endpoint) (desired.Endpoint, error) {
	e.IP, e.Protocol = desired.NormalIP(e.IP), desired.NormalProtocol(e.Protocol)
	return e, e.Validate()
}

// normalEndpoints does so for all of eps, and refuses more than one call may change.
func normalEndpoints(eps []desired.Endpoint) ([]desired.Endpoint, error) {
	if len(eps) > MaxPoolChange {
		return nil, desired.Invalid("ports", fmt.Sprintf("must be at most %d in one request", MaxPoolChange))
	}
	out := make([]desired.Endpoint, len(eps))
	for i, e := range eps {
		var err error
		if out[i], err = normalEndpoint(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// AddPorts adds ports to the pool in one transaction; see Tx.AddPorts.
func (s *Store) AddPorts(ctx context.Context, eps []desired.Endpoint) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.AddPorts(eps) })
}

// AddPorts adds ports to the pool: all of them, or none. One that is there already is
// ErrPortExists.
func (tx *Tx) AddPorts(eps []desired.Endpoint) error {
	_, err := tx.addPorts(eps, false)
	return err
}

// EnsurePorts is AddPorts, which keeps those that are there already; it returns how many it has added.
func (tx *Tx) EnsurePorts(eps []desired.Endpoint) (added int, err error) {
	return tx.addPorts(eps, true)
}

func (tx *Tx) addPorts(eps []desired.Endpoint, keep bool) (added int, err error) {
	eps, err = normalEndpoints(eps)
	if err != nil {
		return 0, err
	}
	t := tx.table()
	t.grows = true
	tx.ports.reset()
	for _, e := range eps {
		if tx.options.isReserved(e) {
			return 0, desired.Invalid("port", fmt.Sprintf("%s is where this daemon listens", e))
		}
		entries, err := t.load(slotOf(e))
		switch {
		case err != nil:
			return 0, err
		case find(entries, e.IP) == nil:
			added++
			t.slots[slotOf(e)] = append(entries, poolPort{IP: e.IP})
		case !keep:
			return 0, fmt.Errorf("%w: %s", desired.ErrPortExists, e)
		}
	}
	if added == 0 {
		return 0, nil
	}
	return added, t.write()
}

// DeletePorts deletes ports from the pool in one transaction; see Tx.DeletePorts.
func (s *Store) DeletePorts(ctx context.Context, eps []desired.Endpoint) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.DeletePorts(eps) })
}

// DeletePorts deletes ports from the pool: all of them, or none. One that is not there
// is ErrPortNotFound, one that is in use ErrPortInUse.
func (tx *Tx) DeletePorts(eps []desired.Endpoint) error {
	eps, err := normalEndpoints(eps)
	if err != nil {
		return err
	}
	t := tx.table()
	for _, e := range eps {
		entries, err := t.load(slotOf(e))
		if err != nil {
			return err
		}
		if find(entries, e.IP) == nil {
			return fmt.Errorf("%w: %s", desired.ErrPortNotFound, e)
		}
		if by := holder(entries, e, ""); by != nil {
			return fmt.Errorf("%w: %s", desired.ErrPortInUse, explain(e, *by))
		}
		var rest []poolPort
		for _, have := range entries {
			if have.IP != e.IP {
				rest = append(rest, have)
			}
		}
		t.slots[slotOf(e)] = rest
	}
	return t.write()
}

// UsePort takes a port out of service or puts it back, in one transaction; see Tx.UsePort.
func (s *Store) UsePort(ctx context.Context, e desired.Endpoint, inUse bool) (desired.PoolPort, error) {
	var out desired.PoolPort
	err := s.Update(ctx, func(tx *Tx) (err error) {
		out, err = tx.UsePort(e, inUse)
		return err
	})
	if err != nil {
		return desired.PoolPort{}, err
	}
	return out, nil
}

// UsePort takes a port of the pool out of service by hand, or puts it back. It is
// ErrPortInUse while a container holds the port.
func (tx *Tx) UsePort(e desired.Endpoint, inUse bool) (desired.PoolPort, error) {
	e, err := normalEndpoint(e)
	if err != nil {
		return desired.PoolPort{}, err
	}
	t := tx.table()
	t.grows = true
	tx.ports.restart()
	entries, err := t.load(slotOf(e))
	if err != nil {
		return desired.PoolPort{}, err
	}
	entry := find(entries, e.IP)
	if entry == nil {
		return desired.PoolPort{}, fmt.Errorf("%w: %s", desired.ErrPortNotFound, e)
	}
	if held := shown(entries, e).InternalID; held != "" {
		return desired.PoolPort{}, fmt.Errorf("%w: %s is held by container %s", desired.ErrPortInUse, e, held)
	}
	entry.Off = inUse
	return shown(entries, e), t.write()
}

// shown returns e as readers see it, given all entries of its slot.
func shown(entries []poolPort, e desired.Endpoint) desired.PoolPort {
	p := desired.PoolPort{Endpoint: e}
	for _, have := range entries {
		if !e.Overlaps(desired.Endpoint{IP: have.IP, Port: e.Port, Protocol: e.Protocol}) {
			continue
		}
		if have.Off || have.Owner != "" {
			p.InUse = true
		}
		if have.Owner != "" && (p.InternalID == "" || have.IP == e.IP) {
			p.InternalID = have.Owner
		}
	}
	return p
}

// Ports returns the pool, sorted by protocol and port.
func (s *Store) Ports() ([]desired.PoolPort, error) {
	out := []desired.PoolPort{}
	err := s.eachPort(func(p desired.PoolPort) { out = append(out, p) })
	return out, err
}

// RandomPort returns a port of the pool that is free at this moment, of the protocol
// unless that is empty; it reserves nothing. When there is none it is ErrNoPorts.
func (s *Store) RandomPort(protocol desired.Protocol) (desired.PoolPort, error) {
	var chosen desired.PoolPort
	free := 0
	err := s.eachPort(func(p desired.PoolPort) {
		if p.InUse || protocol != "" && p.Protocol != protocol || s.options.isReserved(p.Endpoint) {
			return
		}
		free++
		if rand.IntN(free) == 0 {
			chosen = p
		}
	})
	if err == nil && free == 0 {
		err = desired.ErrNoPorts
	}
	return chosen, err
}

func (s *Store) eachPort(fn func(desired.PoolPort)) error {
	return s.View(func(tx *Tx) error {
		for _, protocol := range []desired.Protocol{desired.TCP, desired.UDP} {
			prefix := protocolPrefix(protocol)
			var bad error
			err := tx.Scan(prefix, nil, func(k, v []byte) bool {
				var entries []poolPort
				if entries, bad = decodeSlot(v); bad != nil {
					return false
				}
				port := int(slotFrom(prefix, protocol, k).port)
				for _, entry := range entries {
					fn(shown(entries, desired.Endpoint{IP: entry.IP, Port: port, Protocol: protocol}))
				}
				return true
			})
			if err := errors.Join(err, bad); err != nil {
				return err
			}
		}
		return nil
	})
}

// Port returns one port of the pool, or ErrPortNotFound.
func (s *Store) Port(e desired.Endpoint) (desired.PoolPort, error) {
	e, err := normalEndpoint(e)
	if err != nil {
		return desired.PoolPort{}, err
	}
	var out desired.PoolPort
	err = s.View(func(tx *Tx) error {
		entries, err := tx.table().load(slotOf(e))
		if err != nil {
			return err
		}
		if find(entries, e.IP) == nil {
			return fmt.Errorf("%w: %s", desired.ErrPortNotFound, e)
		}
		out = shown(entries, e)
		return nil
	})
	return out, err
}
