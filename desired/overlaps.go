package desired

// Overlaps finds what an endpoint overlaps among those that were added, at once however
// many they are. Addresses must be in their canonical form. The zero value is empty.
type Overlaps[T any] struct {
	exact map[Endpoint]T
	// wild and some hold, under no address, a wildcard and any one of a port.
	wild, some map[Endpoint]T
}

// Add notes that e is of owner. What was added before for the same stays.
func (o *Overlaps[T]) Add(e Endpoint, owner T) {
	if o.exact == nil {
		o.exact, o.wild, o.some = map[Endpoint]T{}, map[Endpoint]T{}, map[Endpoint]T{}
	}
	at := Endpoint{Port: e.Port, Protocol: e.Protocol}
	addNew(o.exact, e, owner)
	addNew(o.some, at, owner)
	if wildcard(e.IP) {
		addNew(o.wild, at, owner)
	}
}

// Find returns the owner of one that e overlaps.
func (o *Overlaps[T]) Find(e Endpoint) (owner T, found bool) {
	at := Endpoint{Port: e.Port, Protocol: e.Protocol}
	if wildcard(e.IP) {
		owner, found = o.some[at]
		return owner, found
	}
	if owner, found = o.exact[e]; !found {
		owner, found = o.wild[at]
	}
	return owner, found
}

func wildcard(ip string) bool { return ip == "0.0.0.0" || ip == "::" }

func addNew[K comparable, V any](m map[K]V, k K, v V) {
	if _, there := m[k]; !there {
		m[k] = v
	}
}
