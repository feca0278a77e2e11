package store

import (
	"fmt"

	"lightd/desired"
	"lightd/desired/kv"
)

// portQuery is a search of the pool: a protocol, and an address if it matters.
type portQuery struct {
	protocol desired.Protocol
	ip       string
}

// freePortScan remembers, within one transaction, what searches for free ports have found,
// so that thousands of specs do not each read the whole pool.
type freePortScan struct {
	tx      *kv.Tx
	options *Options

	// numbers are the ports of the pool, in order and as far as they were read; all is true
	// when that is to the end.
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

// reset forgets all that was found: the pool has other ports.
func (s *freePortScan) reset() { *s = freePortScan{tx: s.tx, options: s.options} }

// lowestFree finds the lowest port of the pool that c could take with the protocol, and
// the address if there is one, of p. A port that c itself is releasing is free for it.
func (s *freePortScan) lowestFree(c *desired.Container, p desired.Port, taken *desired.Overlaps[bool]) (desired.Endpoint, error) {
	query := portQuery{p.Protocol, p.IP}
	own, err := s.lowestReleasing(c, query, taken)
	if err != nil {
		return own, err
	}
	for at := s.begin[query]; ; at++ {
		port, more, err := s.portAt(p.Protocol, at)
		if err != nil {
			return desired.Endpoint{}, err
		}
		switch {
		case own.Port != 0 && (!more || own.Port <= int(port)):
			return own, nil
		case !more:
			return desired.Endpoint{}, fmt.Errorf("%w for %s", desired.ErrNoPorts, p.Protocol)
		}
		e, err := s.freeAt(slot{p.Protocol, port}, query, c.InternalID, taken)
		if err != nil {
			return e, err
		}
		if e.Port != 0 {
			if s.begin == nil {
				s.begin = map[portQuery]int{}
			}
			s.begin[query] = at
			return e, nil
		}
	}
}

// lowestReleasing is the lowest answer among the ports that c is releasing.
func (s *freePortScan) lowestReleasing(c *desired.Container, query portQuery, taken *desired.Overlaps[bool]) (desired.Endpoint, error) {
	var lowest desired.Endpoint
	for _, r := range c.Releasing {
		if r.Protocol != query.protocol || lowest.Port != 0 && lowest.Port <= r.Port {
			continue
		}
		e, err := s.freeAt(slotOf(r.Endpoint()), query, c.InternalID, taken)
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
func (s *freePortScan) freeAt(sl slot, query portQuery, id string, taken *desired.Overlaps[bool]) (desired.Endpoint, error) {
	entries, err := newTable(s.tx, s.options).load(sl)
	if err != nil {
		return desired.Endpoint{}, err
	}
	for _, entry := range entries {
		e := desired.Endpoint{IP: entry.IP, Port: int(sl.port), Protocol: sl.protocol}
		if query.ip != "" && query.ip != e.IP || s.options.isReserved(e) || holder(entries, e, id) != nil {
			continue
		}
		if _, overlaps := taken.Find(e); overlaps {
			continue
		}
		if s.wanted != nil {
			if _, overlaps := s.wanted.Find(e); overlaps {
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
func (s *freePortScan) portAt(protocol desired.Protocol, at int) (port uint16, ok bool, err error) {
	if s.numbers == nil {
		s.numbers, s.all = map[desired.Protocol][]uint16{}, map[desired.Protocol]bool{}
	}
	prefix := protocolPrefix(protocol)
	for at >= len(s.numbers[protocol]) && !s.all[protocol] {
		numbers, read := s.numbers[protocol], 0
		var from []byte
		if n := len(numbers); n > 0 {
			// The successor in the order of keys: a byte more.
			from = append(slot{protocol, numbers[n-1]}.key(), 0)
		}
		err := s.tx.ScanKeys(prefix, from, func(k []byte) bool {
			numbers = append(numbers, slotFrom(prefix, protocol, k).port)
			read++
			return read < numbersRead
		})
		if err != nil {
			return 0, false, err
		}
		s.numbers[protocol], s.all[protocol] = numbers, read < numbersRead
	}
	if at >= len(s.numbers[protocol]) {
		return 0, false, nil
	}
	return s.numbers[protocol][at], true, nil
}
