package node

import (
	"encoding/json"
	"slices"

	"github.com/gin-gonic/gin"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/rest"
	"lightd/httpapi/selector"
	"lightd/httpapi/view"
	"lightd/observed"
)

// Comparer compares a container with what Docker shows of it, from memory. known is false while
// Docker cannot be seen.
type Comparer interface {
	Drift(c desired.Container) (fields []plan.Field, known bool)
}

// OtherInstances are the containers of other Lightd instances on the same engine.
type OtherInstances interface {
	Foreign() []observed.Foreign
}

// Drift answers the routes of drift.
type Drift struct {
	Containers     Containers
	Comparer       Comparer
	OtherInstances OtherInstances
	// Revision is that of the store now.
	Revision func() uint64
}

// OfContainer is GET /containers/:id/drift.
func (h *Drift) OfContainer(c *gin.Context) error {
	container, found := h.Containers.Container(c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	return rest.OK(c, h.report(container))
}

// OfNode is GET /drift.
func (h *Drift) OfNode(c *gin.Context) error {
	chosen, err := selector.FromQuery(c.Request.URL.Query())
	if err != nil {
		return err
	}
	p, err := rest.PageOf(c.Request.URL.Query(), "drift")
	if err != nil {
		return err
	}
	revision := h.Revision()
	node := api.NodeDrift{Containers: []api.Drift{}, Foreign: []api.Foreign{}}
	for _, container := range h.Containers.Containers() {
		if chosen.Matches(container.Labels) {
			count(&node, h.report(container))
		}
	}
	for _, f := range h.OtherInstances.Foreign() {
		node.Foreign = append(node.Foreign, api.Foreign{
			ContainerID: view.ShortID(f.ContainerID), Name: f.Name, InternalID: f.InternalID, Instance: f.Instance,
		})
	}
	node.Containers, node.Continue = rest.Cut(p, node.Containers, func(d api.Drift) string { return d.InternalID })
	content, err := json.Marshal(node)
	if err != nil {
		return err
	}
	c.Header("ETag", rest.ReadTag("", content)) // without the revision, as that of a page
	node.Revision = revision
	return rest.OK(c, node)
}

// report is the report of one container.
func (h *Drift) report(c desired.Container) api.Drift {
	fields, known := h.Comparer.Drift(c)
	return api.Drift{
		InternalID: c.InternalID, InSync: known && len(fields) == 0, Known: known, Paused: c.Paused, Fields: rest.OrEmpty(fields),
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
