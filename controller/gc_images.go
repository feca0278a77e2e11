package controller

import (
	"context"
	"slices"
	"time"

	"lightd/desired/kv"
	"lightd/observed/engine"
	"lightd/observed/images"
	"lightd/observed/journal"
	"lightd/observed/records"
)

// PulledImages is what is recorded of the images that this daemon has brought; see records.Pulled.
type PulledImages interface {
	All() ([]records.PulledImage, error)
	// Set does nothing of an image that is not recorded any more.
	Set(ctx context.Context, image records.PulledImage) error
	Remove(tx *kv.Tx, imageID string) error
}

// SetRemoveUnusedAfter changes after how long images that nothing needs are removed; 0 is never.
func (c *Controller) SetRemoveUnusedAfter(d time.Duration) { c.removeUnusedAfter.Store(int64(d)) }

// collectImages removes the images that this daemon has brought and that nothing has needed for long:
// no spec, no container of anybody, no other image, nor somebody who gave it a name.
func (c *Controller) collectImages(ctx context.Context) {
	after := time.Duration(c.removeUnusedAfter.Load())
	if after <= 0 || c.cfg.Pulled == nil {
		return
	}
	pulled, err := c.cfg.Pulled.All()
	if err != nil {
		c.log.Warn("unused images are not removed", "error", err)
		return
	}
	if len(pulled) == 0 {
		return
	}
	listed, err := c.cfg.Engine.AllImages(ctx)
	if err != nil {
		c.log.Debug("images not listed", "error", err)
		return
	}
	needed := c.neededImages()
	for _, image := range pulled {
		if err := c.collectImage(ctx, image, listed[image.ImageID], needed, after); err != nil && ctx.Err() == nil {
			c.log.Debug("unused image not removed", "image", image.Refs, "image_id", image.ImageID, "error", err)
		}
	}
}

// neededImages are the images that specs need, by their references in full.
func (c *Controller) neededImages() map[string]bool {
	needed := map[string]bool{}
	for _, spec := range c.cfg.Store.Containers() {
		for _, ref := range append(c.imagesOf(spec), spec.Installation().Image) {
			needed[images.Canonical(ref)] = true
		}
	}
	return needed
}

// collectImage records since when an image is unused, and removes it when that is long enough ago.
func (c *Controller) collectImage(ctx context.Context, image records.PulledImage, listed engine.ListedImage, needed map[string]bool, after time.Duration) error {
	now := time.Now()
	switch {
	case listed.ImageID == "":
		return c.forgetImage(ctx, image)
	case listed.Used || isNeeded(listed, needed) || namedByOthers(image, listed):
		if image.UnusedSince.IsZero() {
			return nil
		}
		image.UnusedSince = time.Time{}
		return c.cfg.Pulled.Set(ctx, image)
	case image.UnusedSince.IsZero(), image.UnusedSince.After(now): // or the clock was set back
		image.UnusedSince = now
		return c.cfg.Pulled.Set(ctx, image)
	case now.Sub(image.UnusedSince) < after:
		return nil
	}
	listed, unused, err := c.unusedStill(ctx, image)
	if err != nil || !unused {
		return err
	}
	names := listed.Tags
	if len(names) == 0 {
		names = []string{image.ImageID}
	}
	for _, name := range names {
		switch err := c.cfg.Engine.RemoveImage(ctx, name); engine.Classify(err) {
		case engine.None, engine.NotFound:
		default: // it is needed by now, or has another name: the next round will see
			return err
		}
	}
	c.log.Info("unused image removed", "image", image.Refs, "image_id", image.ImageID, "unused_since", image.UnusedSince)
	return c.forgetImage(ctx, image, journal.Event{Type: journal.ImageRemoved,
		Message: image.Refs[0] + " (" + image.ImageID + "), unused since " + image.UnusedSince.UTC().Format(time.RFC3339)})
}

// unusedStill looks at an image again right before it is removed: the removals of others may have taken long.
func (c *Controller) unusedStill(ctx context.Context, image records.PulledImage) (listed engine.ListedImage, unused bool, err error) {
	all, err := c.cfg.Engine.AllImages(ctx)
	if err != nil {
		return listed, false, err
	}
	pulled, err := c.cfg.Pulled.All()
	if err != nil {
		return listed, false, err
	}
	listed = all[image.ImageID]
	at := slices.IndexFunc(pulled, func(p records.PulledImage) bool { return p.ImageID == image.ImageID })
	unused = at >= 0 && listed.ImageID != "" && !listed.Used && !namedByOthers(pulled[at], listed) && !isNeeded(listed, c.neededImages())
	return listed, unused, nil
}

// isNeeded reports whether a spec names an image.
func isNeeded(listed engine.ListedImage, needed map[string]bool) bool {
	return slices.ContainsFunc(slices.Concat(listed.Tags, listed.Digests, []string{listed.ImageID}),
		func(name string) bool { return needed[images.Canonical(name)] || needed[name] })
}

// namedByOthers reports whether an image has a name under which this daemon has not pulled it.
func namedByOthers(image records.PulledImage, listed engine.ListedImage) bool {
	repositories := make([]string, len(image.Refs))
	for i, ref := range image.Refs {
		repositories[i] = images.Repository(ref)
	}
	return slices.ContainsFunc(listed.Tags, func(tag string) bool { return !slices.Contains(image.Refs, images.Canonical(tag)) }) ||
		slices.ContainsFunc(listed.Digests, func(digest string) bool { return !slices.Contains(repositories, images.Repository(digest)) })
}

// forgetImage drops the record of an image that is gone, with the events of that.
func (c *Controller) forgetImage(ctx context.Context, image records.PulledImage, events ...journal.Event) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DatabaseTimeout)
	defer cancel()
	return c.cfg.Store.DB.Update(ctx, func(tx *kv.Tx) error {
		if err := c.cfg.Pulled.Remove(tx, image.ImageID); err != nil {
			return err
		}
		return c.append(tx, events)
	})
}
