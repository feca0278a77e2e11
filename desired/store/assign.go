package store

import (
	"fmt"

	"lightd/desired"
)

// keepAssigned gives ports that are to be assigned what the spec had before if it fits,
// so that saying the same again changes nothing: best one with the same port inside.
func keepAssigned(ports, had []desired.Port) {
	if len(had) == 0 {
		return
	}
	taken := namedIn(ports)
	given := make([]bool, len(had))
	for i, h := range had {
		_, given[i] = taken.Find(h.Endpoint())
	}
	for i, p := range ports {
		if p.Port != 0 {
			continue
		}
		best := -1
		for j, h := range had {
			if given[j] || h.Protocol != p.Protocol || p.IP != "" && p.IP != h.IP {
				continue
			}
			if h.ContainerPort == p.ContainerPort || p.ContainerPort == 0 && h.ContainerPort == h.Port {
				best = j
				break
			}
			if best < 0 {
				best = j
			}
		}
		if best >= 0 {
			given[best] = true
			ports[i].IP, ports[i].Port = had[best].IP, had[best].Port
			ports[i] = ports[i].Normalize()
		}
	}
}

// namedIn returns what ports name.
func namedIn(ports []desired.Port) *desired.Overlaps[bool] {
	var named desired.Overlaps[bool]
	for _, p := range ports {
		if p.Port != 0 {
			named.Add(p.Endpoint(), true)
		}
	}
	return &named
}

// assign gives the lowest free port of the pool to every port of c that has none.
func (tx *Tx) assign(c *desired.Container) error {
	taken := namedIn(c.Ports)
	for i, p := range c.Ports {
		if p.Port != 0 {
			continue
		}
		e, err := tx.lowestFree(c, p, taken)
		if err != nil {
			tx.pool.restart()
			return desired.AtField(fmt.Sprintf("ports[%d]", i), err)
		}
		c.Ports[i].IP, c.Ports[i].Port = e.IP, e.Port
		c.Ports[i] = c.Ports[i].Normalize()
		taken.Add(e, true)
	}
	return nil
}

// portQuery is what is asked of the pool: a protocol, and an address if it matters.
type portQuery struct {
	protocol desired.Protocol
	ip       string
}

// freePortScan remembers, within one transaction, what searches for free ports have found,
// so that thousands of specs do not each read the whole pool.
type freePortScan struct {
	// numbers are the ports of the pool, in order and as far as they were read; all says
	// that this is to the end.
	numbers map[desired.Protocol][]uint16
	all     map[desired.Protocol]bool
	// begin is the index of the first number that can be an answer: below it nothing was
	// free, and nothing became free since.
	begin map[portQuery]int
	// wanted are named by specs that are still to be written.
	wanted *desired.Overlaps[bool]
}

// restart forgets where ports were found: some became free.
func (s *freePortScan) restart() { s.begin = nil }

// lowestFree finds the lowest port of the pool that c could take with the protocol, and
// the address if there is one, of p. A port that c itself is releasing is free for it.
func (tx *Tx) lowestFree(c *desired.Container, p desired.Port, taken *desired.Overlaps[bool]) (desired.Endpoint, error) {
	asked := portQuery{p.Protocol, p.IP}
	own, err := tx.lowestReleasing(c, asked, taken)
	if err != nil {
		return own, err
	}
	for at := tx.pool.begin[asked]; ; at++ {
		port, more, err := tx.portAt(p.Protocol, at)
		if err != nil {
			return desired.Endpoint{}, err
		}
		switch {
		case own.Port != 0 && (!more || own.Port <= int(port)):
			return own, nil
		case !more:
			return desired.Endpoint{}, fmt.Errorf("%w for %s", desired.ErrNoPorts, p.Protocol)
		}
		e, err := tx.freeAt(slot{p.Protocol, port}, asked, c.InternalID, taken)
		if err != nil {
			return e, err
		}
		if e.Port != 0 {
			if tx.pool.begin == nil {
				tx.pool.begin = map[portQuery]int{}
			}
			tx.pool.begin[asked] = at
			return e, nil
		}
	}
}

// lowestReleasing is the lowest answer among the ports that c is releasing.
func (tx *Tx) lowestReleasing(c *desired.Container, asked portQuery, taken *desired.Overlaps[bool]) (desired.Endpoint, error) {
	var lowest desired.Endpoint
	for _, r := range c.Releasing {
		if r.Protocol != asked.protocol || lowest.Port != 0 && lowest.Port <= r.Port {
			continue
		}
		e, err := tx.freeAt(slotOf(r.Endpoint()), asked, c.InternalID, taken)
		if err != nil {
			return e, err
		}
		if e.Port != 0 {
			lowest = e
		}
	}
	return lowest, nil
}

// freeAt returns the first address of a slot that id could take, the zero Endpoint when
// there is none.
func (tx *Tx) freeAt(s slot, asked portQuery, id string, taken *desired.Overlaps[bool]) (desired.Endpoint, error) {
	entries, err := tx.table().load(s)
	if err != nil {
		return desired.Endpoint{}, err
	}
	for _, entry := range entries {
		e := desired.Endpoint{IP: entry.IP, Port: int(s.port), Protocol: s.protocol}
		if asked.ip != "" && asked.ip != e.IP || tx.store.isReserved(e) || holder(entries, e, id) != nil {
			continue
		}
		if _, overlaps := taken.Find(e); overlaps {
			continue
		}
		if tx.pool.wanted != nil {
			if _, overlaps := tx.pool.wanted.Find(e); overlaps {
				continue
			}
		}
		return e, nil
	}
	return desired.Endpoint{}, nil
}

// numbersRead is how many numbers of the pool are read at a time.
const numbersRead = 256

// portAt returns the port of the pool at an index, in order.
func (tx *Tx) portAt(protocol desired.Protocol, at int) (port uint16, ok bool, err error) {
	if tx.pool.numbers == nil {
		tx.pool.numbers, tx.pool.all = map[desired.Protocol][]uint16{}, map[desired.Protocol]bool{}
	}
	prefix := protocolPrefix(protocol)
	for at >= len(tx.pool.numbers[protocol]) && !tx.pool.all[protocol] {
		numbers, read := tx.pool.numbers[protocol], 0
		var from []byte
		if n := len(numbers); n > 0 {
			// The successor in the order of keys: a byte more.
			from = append(slot{protocol, numbers[n-1]}.key(), 0)
		}
		err := tx.ScanKeys(prefix, from, func(k []byte) bool {
			numbers = append(numbers, slotFrom(prefix, protocol, k).port)
			read++
			return read < numbersRead
		})
		if err != nil {
			return 0, false, err
		}
		tx.pool.numbers[protocol], tx.pool.all[protocol] = numbers, read < numbersRead
	}
	if at >= len(tx.pool.numbers[protocol]) {
		return 0, false, nil
	}
	return tx.pool.numbers[protocol][at], true, nil
}
