package store

import (
	"fmt"
	"slices"

	"lightd/desired"
)

// claim brings the pool in line with c's spec: it assigns the ports that are to be
// assigned, takes those that are named, and keeps those that old named and c does not
// as Releasing, because old's container may still bind them.
func (tx *Tx) claim(c *desired.Container, old *desired.Container) error {
	var had, releasing []desired.Port
	if old != nil {
		had, releasing = old.Ports, old.Releasing
	}
	if slices.Equal(c.Ports, had) {
		return nil
	}
	if err := tx.assign(c); err != nil {
		return err
	}
	t := tx.table()
	named := make(map[desired.Endpoint]bool, len(c.Ports))
	for i, p := range c.Ports {
		named[p.Endpoint()] = true
		if err := t.take(p.Endpoint(), c.InternalID); err != nil {
			tx.ports.restart() // what was assigned is not taken
			return desired.AtField(fmt.Sprintf("ports[%d]", i), err)
		}
	}
	c.Releasing = []desired.Port{}
	for _, p := range releasing {
		if !named[p.Endpoint()] {
			c.Releasing = append(c.Releasing, p)
		}
	}
	for _, p := range had {
		if named[p.Endpoint()] {
			continue
		}
		if err := t.clearFixed(p.Endpoint(), c.InternalID); err != nil {
			return err
		}
		c.Releasing = append(c.Releasing, p)
	}
	return t.write()
}

// releasePorts takes ports from id.
func (tx *Tx) releasePorts(id string, ports []desired.Port) error {
	tx.ports.restart()
	t := tx.table()
	for _, p := range ports {
		if err := t.release(p.Endpoint(), id); err != nil {
			return err
		}
	}
	return t.write()
}

// assign gives the lowest free port of the pool to every port of c that has none.
func (tx *Tx) assign(c *desired.Container) error {
	taken := namedIn(c.Ports)
	for i, p := range c.Ports {
		if p.Port != 0 {
			continue
		}
		e, err := tx.ports.lowestFree(c, p, taken)
		if err != nil {
			tx.ports.restart()
			return desired.AtField(fmt.Sprintf("ports[%d]", i), err)
		}
		c.Ports[i].IP, c.Ports[i].Port = e.IP, e.Port
		c.Ports[i] = c.Ports[i].Normalize()
		taken.Add(e, true)
	}
	return nil
}

// keepAssigned gives ports that are to be assigned what the spec had before if it fits,
// so that saying the same again changes nothing.
func keepAssigned(ports, had []desired.Port) {
	if len(had) == 0 {
		return
	}
	taken := namedIn(ports)
	free := slices.DeleteFunc(slices.Clone(had), func(h desired.Port) bool {
		_, named := taken.Find(h.Endpoint())
		return named
	})
	for i, p := range ports {
		if p.Port != 0 {
			continue
		}
		at := keptFor(p, free)
		if at < 0 {
			continue
		}
		ports[i].IP, ports[i].Port = free[at].IP, free[at].Port
		ports[i] = ports[i].Normalize()
		free = slices.Delete(free, at, at+1)
	}
}

// keptFor returns the index of the port in free that p best keeps, -1 for none: one with the
// same port inside, else the first that fits.
func keptFor(p desired.Port, free []desired.Port) int {
	fits := func(h desired.Port) bool { return h.Protocol == p.Protocol && (p.IP == "" || p.IP == h.IP) }
	at := slices.IndexFunc(free, func(h desired.Port) bool {
		return fits(h) && (h.ContainerPort == p.ContainerPort || p.ContainerPort == 0 && h.ContainerPort == h.Port)
	})
	if at < 0 {
		at = slices.IndexFunc(free, fits)
	}
	return at
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
