package simengine

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
)

// segment is a network that containers can be on.
type segment struct {
	id, name, driver string
	created          time.Time
	labels, options  map[string]string
	internal         bool
}

func (s *Sim) addNetwork(name, driver string) *segment {
	n := &segment{id: s.newIDLocked(), name: name, driver: driver, created: s.now().UTC()}
	s.networks[n.id] = n
	return n
}

// networkLocked returns the network with a name or an id, or nil. The caller holds the lock.
func (s *Sim) networkLocked(ref string) *segment {
	if n := s.networks[ref]; n != nil {
		return n
	}
	for _, n := range s.networks {
		if n.name == ref {
			return n
		}
	}
	return nil
}

// networkOf returns the name of the network that a container is made on.
func networkOf(host *container.HostConfig) string {
	if mode := string(host.NetworkMode); mode != "" && mode != "default" {
		return mode
	}
	return "bridge"
}

func (s *Sim) connectNetwork(c *call) (answer, error) {
	n, target, err := s.attachment(c)
	if err != nil {
		return answer{}, err
	}
	defer s.mu.Unlock()
	switch {
	case slices.ContainsFunc(target.joined, func(name string) bool { return name == "none" || name == "host" }):
		return answer{}, refuse(http.StatusBadRequest,
			"container cannot be connected to multiple networks with one of the networks in private (none) mode")
	case slices.Contains(target.joined, n.name):
		if target.running {
			return answer{}, refuse(http.StatusForbidden, "endpoint with name %s already exists in network %s", target.name, n.name)
		}
		return answer{status: http.StatusOK}, nil
	}
	target.joined = append(slices.Clone(target.joined), n.name)
	if target.running {
		target.remember(n)
	}
	if target.running {
		s.emitNetwork(n, "connect", target)
	}
	return answer{status: http.StatusOK}, nil
}

func (s *Sim) disconnectNetwork(c *call) (answer, error) {
	n, target, err := s.attachment(c)
	if err != nil {
		return answer{}, err
	}
	defer s.mu.Unlock()
	at := slices.Index(target.joined, n.name)
	switch {
	case at < 0 && target.running:
		return answer{}, refuse(http.StatusInternalServerError, "container %s is not connected to network %s", target.id, n.name)
	case at < 0:
		return answer{}, refuse(http.StatusInternalServerError, "container %s is not connected to the network %s", target.id, n.name)
	}
	target.joined = slices.Delete(slices.Clone(target.joined), at, at+1)
	delete(target.joinedIDs, n.name)
	out := 1
	switch once := s.sinceLocked(disconnectsOnce); {
	case once && !target.running:
		out = 0
	case !once && target.running:
		out = 2
	}
	for range out {
		s.emitNetwork(n, "disconnect", target)
	}
	return answer{status: http.StatusOK}, nil
}

// attachment reads which container a call wants on or off which network. Without an error
// it leaves the lock held.
func (s *Sim) attachment(c *call) (*segment, *box, error) {
	var request struct{ Container string }
	if err := c.decode(&request); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	n := s.networkLocked(c.id)
	target, err := s.findLocked(request.Container)
	if n == nil {
		err = refuse(http.StatusNotFound, "network %s not found", c.id)
	}
	if err != nil {
		s.mu.Unlock()
	}
	return n, target, err
}

func (s *Sim) emitNetwork(n *segment, action string, c *box) {
	s.publishLocked(Message{
		Type: events.NetworkEventType, Action: events.Action(action),
		Actor: events.Actor{ID: n.id, Attributes: map[string]string{"container": c.id, "name": n.name, "type": n.driver}},
	})
}

func (n *segment) view() map[string]any {
	return map[string]any{
		"Name": n.name, "Id": n.id, "Created": n.created.Format(time.RFC3339Nano), "Scope": "local",
		"Driver": n.driver, "EnableIPv6": false, "Internal": n.internal, "Attachable": false, "Ingress": false,
		"IPAM":       map[string]any{"Driver": "default", "Options": nil, "Config": []any{}},
		"ConfigFrom": map[string]string{"Network": ""}, "ConfigOnly": false,
		"Containers": map[string]any{}, "Options": n.options, "Labels": n.labels,
	}
}

func (s *Sim) listNetworks(c *call) (answer, error) {
	f, err := c.filters()
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, n := range s.networks {
		if f.Contains("name") && !f.Match("name", n.name) || f.Contains("label") && !f.MatchKVList("label", n.labels) {
			continue
		}
		list = append(list, n.view())
	}
	slices.SortFunc(list, func(a, b map[string]any) int {
		return strings.Compare(a["Name"].(string), b["Name"].(string))
	})
	return answer{http.StatusOK, list}, nil
}

func (s *Sim) createNetwork(c *call) (answer, error) {
	var request struct {
		Name, Driver    string
		Labels, Options map[string]string
		Internal        bool
	}
	if err := c.decode(&request); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.networkLocked(request.Name) != nil {
		return answer{}, refuse(http.StatusConflict, "network with name %s already exists", request.Name)
	}
	const bridgeName = "com.docker.network.bridge.name"
	for _, other := range s.networks {
		if bridge := request.Options[bridgeName]; bridge != "" && bridge == other.options[bridgeName] {
			return answer{}, refuse(http.StatusForbidden, "cannot create network %s (%s): conflicts with network %s (%s): networks have same bridge name",
				s.newIDLocked(), bridge, other.id, bridge)
		}
	}
	n := s.addNetwork(request.Name, cmp.Or(request.Driver, "bridge"))
	n.labels, n.options, n.internal = request.Labels, request.Options, request.Internal
	return answer{http.StatusCreated, map[string]string{"Id": n.id, "Warning": ""}}, nil
}

func (s *Sim) inspectNetwork(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networkLocked(c.id)
	if n == nil {
		return answer{}, refuse(http.StatusNotFound, "network %s not found", c.id)
	}
	return answer{http.StatusOK, n.view()}, nil
}

func (s *Sim) removeNetwork(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networkLocked(c.id)
	if n == nil {
		return answer{}, refuse(http.StatusNotFound, "network %s not found", c.id)
	}
	if n.name == "bridge" || n.name == "host" || n.name == "none" {
		return answer{}, refuse(http.StatusForbidden, "%s is a pre-defined network and cannot be removed", n.name)
	}
	for _, b := range s.containers {
		if b.running && slices.Contains(b.joined, n.name) {
			return answer{}, refuse(http.StatusForbidden, "error while removing network: network %s id %s has active endpoints", n.name, n.id)
		}
	}
	delete(s.networks, n.id)
	return answer{status: http.StatusNoContent}, nil
}
