package node

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/selector"
	"lightd/httpapi/view"
	"lightd/observed"
	"lightd/observed/drift"
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
	// Firewall is why the firewall of containers is missing; empty while it is in place.
	Firewall func() (missing string, since time.Time)
	// Revision is that of the store now.
	Revision func() uint64
}

// OfContainer is GET /containers/:id/drift.
func (h *Drift) OfContainer(c *gin.Context) error {
	who := auth.CallerOf(c.Request.Context())
	container, found := who.Find(h.Containers, c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	return rest.OK(c, h.report(who, container))
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
	revision, who := h.Revision(), auth.CallerOf(c.Request.Context())
	node := api.NodeDrift{Containers: []api.Drift{}, Foreign: []api.Foreign{}}
	for _, container := range who.List(h.Containers) {
		if chosen.Matches(container.Labels) {
			count(&node, h.report(who, container))
		}
	}
	for _, f := range h.OtherInstances.Foreign() {
		if who.Bound() {
			break
		}
		node.Foreign = append(node.Foreign, api.Foreign{
			ContainerID: view.ShortID(f.ContainerID), Name: f.Name, InternalID: f.InternalID, Instance: f.Instance,
		})
	}
	if missing, since := h.Firewall(); missing != "" && !who.Bound() {
		node.Firewall = &api.FirewallDrift{Missing: missing, Since: since.UTC()}
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

// report is the report of one container as its caller may see it.
func (h *Drift) report(who *auth.Caller, c desired.Container) api.Drift {
	fields, known := h.Comparer.Drift(c)
	if !who.May(token.ScopeWrite) {
		fields = withoutEnv(fields)
	}
	return api.Drift{
		InternalID: c.InternalID, InSync: known && len(fields) == 0, Known: known, Paused: c.Paused, Fields: rest.OrEmpty(fields),
	}
}

// withoutEnv returns fields without the values of the environment.
func withoutEnv(fields []plan.Field) []plan.Field {
	fields = slices.Clone(fields)
	for i, f := range fields {
		if drift.OfEnv(f.Path) && f.Desired != nil {
			fields[i].Desired = drift.Hidden
		}
	}
	return fields
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
