package store

import (
	"fmt"

	"lightd/desired"
)

// assign gives a number to every port of c that has none: one that the spec had before
// if it fits, so that saying the same again changes nothing; else the lowest free one of
// the pool.
func (tx *Tx) assign(c *desired.Container, had []desired.Port) error {
	var taken []desired.Endpoint
	for _, p := range c.Ports {
		if p.Port != 0 {
			taken = append(taken, p.Endpoint())
		}
	}
	for i := range c.Ports {
		if c.Ports[i].Port != 0 {
			continue
		}
		e, ok := previous(c.Ports[i], had, taken)
		if !ok {
			var err error
			if e, err = tx.lowestFree(c, c.Ports[i], taken); err != nil {
				return fmt.Errorf("assign ports[%d]: %w", i, err)
			}
		}
		c.Ports[i].IP, c.Ports[i].Port = e.IP, e.Port
		c.Ports[i] = c.Ports[i].Normalize()
		taken = append(taken, e)
	}
	return nil
}

// previous finds the port that p was given before: best one with the same port inside.
func previous(p desired.Port, had []desired.Port, taken []desired.Endpoint) (desired.Endpoint, bool) {
	var second desired.Endpoint
	for _, h := range had {
		e := h.Endpoint()
		if h.Protocol != p.Protocol || p.IP != "" && p.IP != h.IP || overlapsAny(e, taken) {
			continue
		}
		if h.ContainerPort == p.ContainerPort || p.ContainerPort == 0 && h.ContainerPort == h.Port {
			return e, true
		}
		if second.Port == 0 {
			second = e
		}
	}
	return second, second.Port != 0
}

// search is one question to lowestFree.
type search struct {
	protocol desired.Protocol
	ip       string
}

// lowestFree finds the lowest port of the pool that c could take with the protocol, and
// the address if there is one, of p. A port that c itself is releasing is free for it.
func (tx *Tx) lowestFree(c *desired.Container, p desired.Port, taken []desired.Endpoint) (desired.Endpoint, error) {
	var found desired.Endpoint
	var bad error
	prefix := protocolPrefix(p.Protocol)
	question := search{p.Protocol, p.IP}
	// Below the last answer in this transaction nothing was free for anybody, and
	// nothing became free since: thousands of specs do not each read the whole pool.
	from := slot{p.Protocol, 0}.key()
	if len(c.Releasing) == 0 {
		from = slot{p.Protocol, tx.lowest[question]}.key()
	}
	err := tx.Scan(prefix, from, func(k, v []byte) bool {
		var entries []poolPort
		if entries, bad = decodeSlot(v); bad != nil {
			return false
		}
		s := slotFrom(prefix, p.Protocol, k)
		for _, entry := range entries {
			e := desired.Endpoint{IP: entry.IP, Port: int(s.port), Protocol: p.Protocol}
			if p.IP != "" && p.IP != e.IP || overlapsAny(e, taken) || tx.store.isReserved(e) || holder(entries, e, c.InternalID) != nil {
				continue
			}
			found = e
			return false
		}
		return true
	})
	switch {
	case err != nil:
		return found, err
	case bad != nil:
		return found, bad
	case found.Port == 0:
		return found, fmt.Errorf("%w for %s", desired.ErrNoPorts, p.Protocol)
	}
	if len(taken) == 0 {
		if tx.lowest == nil {
			tx.lowest = map[search]uint16{}
		}
		tx.lowest[question] = uint16(found.Port)
	}
	return found, nil
}

func overlapsAny(e desired.Endpoint, others []desired.Endpoint) bool {
	for _, o := range others {
		if e.Overlaps(o) {
			return true
		}
	}
	return false
}
