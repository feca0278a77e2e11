package controller

import (
	"context"
	"math"
	"slices"
	"time"

	"lightd/desired"
	"lightd/desired/subscribe"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// Collect removes, until ctx ends, what is no longer needed: the images and copies of installations
// that were replaced or deleted, and stopped containers of this instance whose deletion is in the
// journal. Any other container without a spec is logged and kept: it may belong to a database that
// was replaced by an older one.
func (c *Controller) Collect(ctx context.Context) {
	ticker := time.NewTicker(c.cfg.CollectEvery)
	defer ticker.Stop()
	orphans := map[string]time.Time{}
	for {
		c.collectSnapshots(ctx)
		c.reconcileCopies()
		c.collectVolumes(ctx)
		orphans = c.collectOrphans(ctx, orphans)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.resyncFiles()
			c.retainImages()
			c.collectImages(ctx)
		case <-c.gcTrigger:
		}
	}
}

// resyncFiles enqueues the containers whose entry point was altered, or whose directories were
// replaced under their process: files make no event.
func (c *Controller) resyncFiles() {
	for _, spec := range c.cfg.Store.Containers() {
		st, _ := c.cfg.Statuses.Get(spec.InternalID)
		run := c.cfg.Cache.Get(spec.InternalID).Run
		if st.ContainerID != "" && (!c.cfg.Data.EntrypointOK(spec.Spec) || len(c.replacedMounts(spec.Spec, st, run)) > 0) {
			c.Enqueue(spec.InternalID)
		}
	}
}

// retainImages drops the knowledge of images that no container needs.
func (c *Controller) retainImages() {
	needed := map[string]bool{}
	for _, spec := range c.cfg.Store.Containers() {
		for _, ref := range c.imagesOf(spec) {
			needed[ref] = true
		}
	}
	c.cfg.Images.Retain(func(ref string) bool { return needed[ref] })
}

// TriggerGC has the next collection begin soon. It never blocks.
func (c *Controller) TriggerGC() {
	subscribe.Wake(c.gcTrigger)
}

func (c *Controller) collectSnapshots(ctx context.Context) {
	tagged, err := c.cfg.Engine.Images(ctx)
	if err != nil {
		c.log.Debug("images not listed", "error", err)
		return
	}
	for _, image := range tagged {
		_, id, request, ok := desired.ParseSnapshotRef(image.Ref)
		if !ok || c.imageInUse(id, request, image.Ref) {
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

// reconcileCopies has each image that keeps an installation copied to the data directory. It
// removes the copies of other installations and of deleted containers. A copy whose container has
// neither a spec nor a deletion in the journal stays: the database may be an old or a new one.
func (c *Controller) reconcileCopies() {
	c.cfg.Snapshots.Retain(func(ref string) bool {
		_, id, request, ok := desired.ParseSnapshotRef(ref)
		if !ok {
			return true
		}
		if c.isOrphan(id) {
			return !c.deleted(id)
		}
		return c.imageInUse(id, request, ref)
	})
	for _, spec := range c.cfg.Store.Containers() {
		st, _ := c.cfg.Statuses.Get(spec.InternalID)
		if st.Install.Snapshot != "" && !spec.Deleting {
			c.cfg.Snapshots.Save(st.Install.Snapshot)
		}
	}
}

// collectVolumes removes Docker's names of the volumes of containers that are no more. Their data
// was in the data directory, and went with its container.
func (c *Controller) collectVolumes(ctx context.Context) {
	volumes, err := c.cfg.Engine.Volumes(ctx)
	if err != nil {
		c.log.Debug("volumes not listed", "error", err)
		return
	}
	for _, v := range volumes {
		if !c.isOrphan(v.InternalID) {
			continue
		}
		switch err := c.cfg.Engine.RemoveVolume(ctx, v.Name); engine.Classify(err) {
		case engine.None, engine.NotFound, engine.Conflict: // gone, or still in use: the next round will see
		default:
			c.log.Debug("volume of a deleted container not removed", "volume", v.Name, "error", err)
		}
	}
}

// imageInUse reports whether an installation is kept in ref, or may be about to be. One that is
// over and was not kept there has nothing to do with it: ids come back, and with them names.
func (c *Controller) imageInUse(id string, request int64, ref string) bool {
	if _, exists := c.cfg.Store.Container(id); !exists {
		return false
	}
	st, _ := c.cfg.Statuses.Get(id)
	inHand := st.Install.Phase != status.InstallDone && st.Install.Phase != status.InstallFailed
	return st.Install.Snapshot == ref || inHand && st.Install.Request == request
}

func (c *Controller) isOrphan(id string) bool {
	_, exists := c.cfg.Store.Container(id)
	return !exists
}

// collectOrphans returns since when which containers are known to be without a spec.
func (c *Controller) collectOrphans(ctx context.Context, before map[string]time.Time) map[string]time.Time {
	now := map[string]time.Time{}
	if !slices.ContainsFunc(c.cfg.Cache.IDs(), c.isOrphan) {
		return now
	}
	listed, err := c.cfg.Engine.List(ctx)
	if err != nil {
		c.log.Debug("containers not listed", "error", err)
		return before
	}
	for _, l := range listed {
		id := l.Labels[observed.LabelID]
		if !c.isOrphan(id) {
			continue
		}
		since, known := before[l.ContainerID]
		if !known {
			since = time.Now()
		}
		now[l.ContainerID] = since
		switch {
		case l.Phase == observed.Running || l.Phase == observed.Paused || !c.deleted(id):
			if !known {
				c.log.Warn("orphaned running container; not removed", "container", id, "docker_id", l.ContainerID, "phase", l.Phase)
			}
		case time.Since(since) >= c.cfg.OrphanGrace:
			err := c.cfg.Engine.Remove(ctx, l.ContainerID)
			c.log.Info("container of a deleted spec removed", "container", id, "docker_id", l.ContainerID, "error", err)
		}
	}
	return now
}

// deleted reports whether the journal has the deletion of a container. Without that record the
// container may be of a database that was lost.
func (c *Controller) deleted(id string) bool {
	page, _, err := c.cfg.Journal.Page(id, 0, math.MaxInt)
	return err == nil && slices.ContainsFunc(page, func(e journal.Event) bool { return e.Type == journal.Deleted })
}
