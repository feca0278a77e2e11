package httpapi

import (
	"encoding/json"
	"slices"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/api"
)

// driftOfContainer is GET /containers/:id/drift.
func (s *Server) driftOfContainer(c *gin.Context) error {
	container, found := s.specs.Container(c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	return ok(c, s.drift(container))
}

// driftOfNode is GET /drift.
func (s *Server) driftOfNode(c *gin.Context) error {
	selector, err := selectorOf(c.Request.URL.Query())
	if err != nil {
		return err
	}
	p, err := pageOf(c.Request.URL.Query(), "drift")
	if err != nil {
		return err
	}
	revision := s.revision()
	node := api.NodeDrift{Containers: []api.Drift{}, Foreign: []api.Foreign{}}
	for _, container := range s.specs.Containers() {
		if selector.matches(container.Labels) {
			count(&node, s.drift(container))
		}
	}
	for _, f := range s.otherInstances.Foreign() {
		node.Foreign = append(node.Foreign, api.Foreign{
			ContainerID: short(f.ContainerID), Name: f.Name, InternalID: f.InternalID, Instance: f.Instance,
		})
	}
	node.Containers, node.Continue = cut(p, node.Containers, func(d api.Drift) string { return d.InternalID })
	content, err := json.Marshal(node)
	if err != nil {
		return err
	}
	c.Header("ETag", tagOfRead("", content)) // without the revision, as that of a page
	node.Revision = revision
	return ok(c, node)
}

// drift is the report of one container.
func (s *Server) drift(c desired.Container) api.Drift {
	fields, known := s.drifts.Drift(c)
	return api.Drift{
		InternalID: c.InternalID, InSync: known && len(fields) == 0, Known: known, Paused: c.Paused, Fields: orEmpty(fields),
	}
}

// count adds the report of a container to that of the node.
func count(node *api.NodeDrift, d api.Drift) {
	if d.InSync {
		node.InSync++
		return
	}
	node.Containers = append(node.Containers, d)
	if !d.Known {
		node.Unknown++
	}
	for kind, n := range map[api.DriftKind]*int{
		api.DriftSpec: &node.Drifted, api.DriftMovedTag: &node.MovedTag, api.DriftDeferred: &node.Deferred,
	} {
		if slices.ContainsFunc(d.Fields, func(f api.DriftField) bool { return f.Kind == kind }) {
			*n++
		}
	}
}
