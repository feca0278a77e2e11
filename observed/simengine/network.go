package simengine

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// segment is a network that containers can be on.
type segment struct {
	id, name, driver string
	created          time.Time
	labels           map[string]string
}

func (s *Sim) addNetwork(name, driver string) *segment {
	n := &segment{id: s.newID(), name: name, driver: driver, created: time.Now().UTC()}
	s.networks[n.id] = n
	return n
}

// network returns the network with a name or an id, or nil. The caller holds the lock.
func (s *Sim) network(ref string) *segment {
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

// networkOf returns the name of the network that a container is on.
func networkOf(c *box) string {
	if mode := string(c.host.NetworkMode); mode != "" && mode != "default" {
		return mode
	}
	return "bridge"
}

func (s *Sim) tellNetwork(n *segment, action string, c *box) {
	s.publish(Message{
		Type: events.NetworkEventType, Action: events.Action(action),
		Actor: events.Actor{ID: n.id, Attributes: map[string]string{"container": c.id, "name": n.name, "type": n.driver}},
	})
}

func (n *segment) view() map[string]any {
	return map[string]any{
		"Name": n.name, "Id": n.id, "Created": n.created.Format(time.RFC3339Nano), "Scope": "local",
		"Driver": n.driver, "EnableIPv6": false, "Internal": false, "Attachable": false, "Ingress": false,
		"IPAM":       map[string]any{"Driver": "default", "Options": nil, "Config": []any{}},
		"ConfigFrom": map[string]string{"Network": ""}, "ConfigOnly": false,
		"Containers": map[string]any{}, "Options": map[string]string{}, "Labels": n.labels,
	}
}

func (s *Sim) listNetworks(c *call) (answer, error) {
	f, err := filters.FromJSON(c.query.Get("filters"))
	if err != nil {
		return answer{}, refuse(http.StatusBadRequest, "%v", err)
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
		Name, Driver string
		Labels       map[string]string
	}
	if err := c.decode(&request); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.network(request.Name) != nil {
		return answer{}, refuse(http.StatusConflict, "network with name %s already exists", request.Name)
	}
	n := s.addNetwork(request.Name, request.Driver)
	if n.driver == "" {
		n.driver = "bridge"
	}
	n.labels = request.Labels
	return answer{http.StatusCreated, map[string]string{"Id": n.id, "Warning": ""}}, nil
}

func (s *Sim) inspectNetwork(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.network(c.id)
	if n == nil {
		return answer{}, refuse(http.StatusNotFound, "network %s not found", c.id)
	}
	return answer{http.StatusOK, n.view()}, nil
}

func (s *Sim) removeNetwork(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.network(c.id)
	if n == nil {
		return answer{}, refuse(http.StatusNotFound, "network %s not found", c.id)
	}
	if n.name == "bridge" || n.name == "host" || n.name == "none" {
		return answer{}, refuse(http.StatusForbidden, "%s is a pre-defined network and cannot be removed", n.name)
	}
	for _, b := range s.containers {
		if b.running && s.network(networkOf(b)) == n {
			return answer{}, refuse(http.StatusForbidden, "error while removing network: network %s id %s has active endpoints", n.name, n.id)
		}
	}
	delete(s.networks, n.id)
	return answer{status: http.StatusNoContent}, nil
}
