package controller

import (
	"context"
	"slices"
	"time"

	"lightd/observed"
	"lightd/observed/engine"
)

// gcEvery is how often what nobody needs is looked for. An orphan must be seen in two
// rounds in a row, so that none is taken that is being made at this moment.
const gcEvery = 5 * time.Minute

// Collect removes, until ctx ends, what nobody needs any more: images that keep an
// installation which was replaced or deleted, and containers of this instance that no
// spec names and that do not run. A running one is only told of: somebody may have
// restored an old database.
func (c *Controller) Collect(ctx context.Context) {
	ticker := time.NewTicker(gcEvery)
	defer ticker.Stop()
	orphans := map[string]bool{}
	for {
		c.collectSnapshots(ctx)
		orphans = c.collectOrphans(ctx, orphans)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-c.nudge:
		}
	}
}

// Nudge has the next collection begin soon. It never blocks.
func (c *Controller) Nudge() {
	select {
	case c.nudge <- struct{}{}:
	default:
	}
}

func (c *Controller) collectSnapshots(ctx context.Context) {
	tagged, err := c.cfg.Engine.Images(ctx)
	if err != nil {
		c.log.Debug("images not listed", "error", err)
		return
	}
	for _, image := range tagged {
		id, request, ok := parseSnapshot(c.cfg.Engine.Instance(), image.Ref)
		if !ok || c.needed(id, request, image.Ref) {
			continue
		}
		switch err := c.cfg.Engine.RemoveImage(ctx, image.Ref); engine.Classify(err) {
		case engine.None:
			c.log.Info("image of an old installation removed", "container", id, "image", image.Ref)
		case engine.NotFound, engine.Conflict: // gone, or still in use: the next round will see
		default:
			c.log.Debug("image of an old installation not removed", "image", image.Ref, "error", err)
		}
	}
}

// needed reports whether an installation is kept in ref, or may be about to be.
func (c *Controller) needed(id string, request int64, ref string) bool {
	if _, exists := c.cfg.Store.Container(id); !exists {
		return false
	}
	st, known := c.cfg.Statuses.Get(id)
	return !known || st.Install.Snapshot == ref || st.Install.Request <= request && st.Install.Snapshot == ""
}

func (c *Controller) unspecified(id string) bool {
	_, exists := c.cfg.Store.Container(id)
	return !exists
}

func (c *Controller) collectOrphans(ctx context.Context, before map[string]bool) map[string]bool {
	now := map[string]bool{}
	if !slices.ContainsFunc(c.cfg.Sight.IDs(), c.unspecified) {
		return now
	}
	listed, err := c.cfg.Engine.List(ctx)
	if err != nil {
		c.log.Debug("containers not listed", "error", err)
		return now
	}
	for _, l := range listed {
		id := l.Labels[observed.LabelID]
		if !c.unspecified(id) {
			continue
		}
		now[l.ContainerID] = true
		switch {
		case l.Phase == observed.Running || l.Phase == observed.Paused:
			if !before[l.ContainerID] {
				c.log.Warn("a running container of this instance has no spec; it is left alone", "container", id, "docker_id", l.ContainerID)
			}
		case before[l.ContainerID]:
			err := c.cfg.Engine.Remove(ctx, l.ContainerID)
			c.log.Info("container without a spec removed", "container", id, "docker_id", l.ContainerID, "error", err)
		}
	}
	return now
}
