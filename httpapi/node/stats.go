package node

import (
	"context"
	"math"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/selector"
	"lightd/httpapi/view"
	"lightd/observed/status"
	"lightd/observed/usage"
)

// Measurer measures what the processes of containers use. Containers that do not run are left out.
type Measurer interface {
	Measure(ctx context.Context, ids []string) map[string]usage.Figures
}

// Sizes are the volumes, with their last measurements: none is made.
type Sizes interface {
	List() ([]store.Volume, error)
	LastSize(volume string) (size store.VolumeSize, measured bool)
}

// Stats answers the routes of what is used.
type Stats struct {
	Containers Containers
	Views      *view.Viewer
	Measurer   Measurer
	Sizes      Sizes
	// Host returns the machine, without what its containers are promised.
	Host func(ctx context.Context) api.Node
	// Desired returns the cordon of the node, nil for none, and Recorded what the controller has recorded of it.
	Desired  func() *desired.Cordon
	Recorded func() status.NodeStatus
	// Drain returns what a drain waits for, or would wait for.
	Drain func() status.Drain
}

// OfContainer is GET /containers/:id/stats.
func (h *Stats) OfContainer(c *gin.Context) error {
	ctx := c.Request.Context()
	container, found := auth.CallerOf(ctx).Find(h.Containers, c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	return rest.OK(c, h.measure(ctx, []desired.Container{container})[0])
}

// OfAll is GET /stats.
func (h *Stats) OfAll(c *gin.Context) error {
	chosen, err := selector.FromQuery(c.Request.URL.Query())
	if err != nil {
		return err
	}
	p, err := rest.PageOf(c.Request.URL.Query(), "stats")
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	all := chosen.Filter(auth.CallerOf(ctx).List(h.Containers))
	all, next := rest.Cut(p, all, func(c desired.Container) string { return c.InternalID })
	answer := map[string]any{"stats": h.measure(ctx, all)}
	if next != "" {
		answer["continue"] = next
	}
	return rest.OK(c, answer)
}

// measure returns the stats of containers, in their order.
func (h *Stats) measure(ctx context.Context, containers []desired.Container) []api.Stats {
	ids := make([]string, len(containers))
	for i, c := range containers {
		ids[i] = c.InternalID
	}
	figures := h.Measurer.Measure(ctx, ids)
	now := time.Now()
	list := make([]api.Stats, len(containers))
	for i, c := range containers {
		st := h.Views.Status(c.InternalID)
		list[i] = api.Stats{InternalID: c.InternalID, State: h.Views.State(st), Restarts: st.Restarts}
		if size, measured := h.Sizes.LastSize(c.VolumeID); measured {
			list[i].Disk = &api.DiskUsage{VolumeBytes: size.Bytes, MeasuredAt: size.At.UTC(), Age: age(now, size.At)}
		}
		f, running := figures[c.InternalID]
		if !running {
			continue
		}
		list[i].StartedAt = f.StartedAt.UTC()
		list[i].Uptime = int64(max(0, now.Sub(f.StartedAt)) / time.Second)
		if !f.At.IsZero() {
			list[i].Usage = &api.Usage{Stats: f.Stats, MeasuredAt: f.At.UTC(), Age: age(now, f.At)}
		}
	}
	return list
}

// age is how old a figure is in seconds, to the millisecond.
func age(now, at time.Time) float64 {
	return max(0, math.Round(now.Sub(at).Seconds()*1e3)/1e3)
}

// Node is GET /node.
func (h *Stats) Node(c *gin.Context) error {
	ctx := c.Request.Context()
	node := h.Host(ctx)
	node.States = map[status.State]int{}
	for _, container := range auth.CallerOf(ctx).List(h.Containers) {
		node.Containers++
		node.States[h.Views.State(h.Views.Status(container.InternalID))]++
		promise(&node.Cores, container.Limits.Within(int(node.Cores.Total)).CPU)
		promise(&node.Memory, float64(container.Limits.Memory))
	}
	node.Cordon = h.cordon(h.Desired())
	if err := h.promiseVolumes(&node); err != nil {
		return err
	}
	return rest.OK(c, node)
}

// promiseVolumes adds up the quotas of the volumes, and what is used.
func (h *Stats) promiseVolumes(node *api.Node) error {
	all, err := h.Sizes.List()
	node.Volumes.Count = len(all)
	for _, v := range all {
		node.Volumes.Promised += v.Quota
		if v.Quota == 0 {
			node.Volumes.Unlimited++
		}
		if v.Used != nil {
			node.Volumes.Used += *v.Used
		}
	}
	return err
}

// promise adds the limit of a container, of which 0 is none.
func promise(of *api.Capacity, limit float64) {
	if limit == 0 {
		of.Unlimited++
	}
	of.Promised += limit
}
