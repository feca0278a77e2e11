package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"lightd/desired"
	"lightd/desired/kv"
)

// poolPort is one address of a port in the pool.
type poolPort struct {
	IP string `json:"ip"`
	// Off is true while it is taken out of service by hand.
	Off bool `json:"off,omitempty"`
	// Owner is the container that holds it, empty for none.
	Owner string `json:"owner,omitempty"`
	// Named is true when the owner's spec names it, false when it is only still bound.
	Named bool `json:"named,omitempty"`
}

// slot is the unit of storage: all addresses of one port and protocol are one value,
// so that whoever reads one of them sees all that can overlap it.
type slot struct {
	protocol desired.Protocol
	port     uint16
}

func slotOf(e desired.Endpoint) slot { return slot{e.Protocol, uint16(e.Port)} }

func protocolPrefix(p desired.Protocol) []byte { return []byte("p/" + string(p) + "/") }

func (s slot) key() []byte {
	return binary.BigEndian.AppendUint16(protocolPrefix(s.protocol), s.port)
}

func slotFrom(prefix []byte, p desired.Protocol, key []byte) slot {
	return slot{p, binary.BigEndian.Uint16(key[len(prefix):])}
}

func decodeSlot(data []byte) ([]poolPort, error) {
	var out []poolPort
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("decode ports of the pool: %w", err)
	}
	return out, nil
}

// holder returns the entry that keeps e from being taken by id: one that overlaps it
// and is held by another, or is out of service. Nil when there is none.
func holder(entries []poolPort, e desired.Endpoint, id string) *poolPort {
	for i, have := range entries {
		other := desired.Endpoint{IP: have.IP, Port: e.Port, Protocol: e.Protocol}
		if (have.Off || have.Owner != "" && have.Owner != id) && e.Overlaps(other) {
			return &entries[i]
		}
	}
	return nil
}

func find(entries []poolPort, ip string) *poolPort {
	for i := range entries {
		if entries[i].IP == ip {
			return &entries[i]
		}
	}
	return nil
}

// table is a working copy of some slots. Nothing reaches the transaction before write,
// so that a check that fails halfway leaves nothing behind.
type table struct {
	tx      *kv.Tx
	options *Options
	slots   map[slot][]poolPort
	// grows is true when more is added than given up, which a full disk has no room for.
	grows bool
}

func newTable(tx *kv.Tx, o *Options) *table {
	return &table{tx: tx, options: o, slots: map[slot][]poolPort{}}
}

func (t *table) load(s slot) ([]poolPort, error) {
	if entries, ok := t.slots[s]; ok {
		return entries, nil
	}
	data, err := t.tx.Get(s.key())
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := decodeSlot(data)
	if err != nil {
		return nil, fmt.Errorf("port %d/%s: %w", s.port, s.protocol, err)
	}
	t.slots[s] = entries
	return entries, nil
}

func (t *table) write() error {
	for s, entries := range t.slots {
		if len(entries) == 0 {
			if err := t.tx.Delete(s.key()); err != nil {
				return err
			}
			continue
		}
		data, err := json.Marshal(entries)
		if err != nil {
			return fmt.Errorf("encode port %d/%s: %w", s.port, s.protocol, err)
		}
		set := t.tx.SetEssential
		if t.grows {
			set = t.tx.Set
		}
		if err := set(s.key(), data); err != nil {
			return err
		}
	}
	return nil
}

// take gives e to id.
func (t *table) take(e desired.Endpoint, id string) error {
	entries, err := t.load(slotOf(e))
	if err != nil {
		return err
	}
	entry := find(entries, e.IP)
	if entry == nil {
		return fmt.Errorf("%w: %s", desired.ErrPortNotInPool, e)
	}
	if t.options.isReserved(e) {
		return fmt.Errorf("%w: %s is where this daemon listens", desired.ErrPortInUse, e)
	}
	if by := holder(entries, e, id); by != nil {
		return fmt.Errorf("%w: %s", desired.ErrPortInUse, explain(e, *by))
	}
	entry.Owner, entry.Named = id, true
	t.grows = true
	return nil
}

func explain(e desired.Endpoint, by poolPort) string {
	held := desired.Endpoint{IP: by.IP, Port: e.Port, Protocol: e.Protocol}
	state := "is held by container " + by.Owner
	if by.Off {
		state = "is out of service"
	}
	if held == e {
		return fmt.Sprintf("%s %s", e, state)
	}
	return fmt.Sprintf("%s overlaps %s, which %s", e, held, state)
}

// clearFixed leaves e with id, as one that is only still bound.
func (t *table) clearFixed(e desired.Endpoint, id string) error {
	return t.update(e, id, func(p *poolPort) { p.Named = false })
}

// release takes e from id.
func (t *table) release(e desired.Endpoint, id string) error {
	return t.update(e, id, func(p *poolPort) { p.Owner, p.Named = "", false })
}

func (t *table) update(e desired.Endpoint, id string, fn func(*poolPort)) error {
	entries, err := t.load(slotOf(e))
	if err != nil {
		return err
	}
	if entry := find(entries, e.IP); entry != nil && entry.Owner == id {
		fn(entry)
	}
	return nil
}
