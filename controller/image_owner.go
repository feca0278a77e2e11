package controller

import (
	"context"
	"fmt"
	"slices"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// checkReference checks again what the validation of a spec has checked: a spec may have been stored
// under other rules.
func (a *execution) checkReference(ref string) error {
	if ref == a.st.Install.Snapshot {
		return nil
	}
	if err := a.cfg.Store.Rules().CheckImage(ref, a.spec.InternalID); err != nil {
		return blockedError{status.ReasonImageNotAllowed, err}
	}
	return nil
}

// checkImageOwner refuses the snapshot of another container, by whatever name or id the engine has
// resolved to it: it holds what belongs to somebody else. So is one of an earlier container with the
// same id.
func (a *execution) checkImageOwner(image observed.Image) error {
	if !image.Present || slices.Contains(image.Tags, a.st.Install.Snapshot) {
		return nil
	}
	if slices.ContainsFunc(image.Tags, desired.IsSnapshot) || a.keepsOther(image.ImageID) {
		return blockedError{status.ReasonImageNotAllowed,
			fmt.Errorf("the image %.19s keeps the installation of another container", image.ImageID)}
	}
	return nil
}

// keepsOther reports whether an image keeps the installation of another container, whose name it may
// have lost.
func (a *execution) keepsOther(imageID string) bool {
	for _, other := range a.cfg.Store.Containers() {
		st, _ := a.cfg.Statuses.Get(other.InternalID)
		if st.Install.Snapshot == "" || other.InternalID == a.spec.InternalID {
			continue
		}
		if a.cfg.Images.Known(st.Install.Snapshot).ImageID == imageID {
			return true
		}
		if run := a.cfg.Cache.Get(other.InternalID).Run; run != nil && run.Image == st.Install.Snapshot && run.ImageID == imageID {
			return true
		}
	}
	return false
}

// checkStartedImage checks the owner of the image of a container that is about to be started: a
// name may have moved between the check of a creation and the creation.
func (a *execution) checkStartedImage(ctx context.Context, c *observed.Container) error {
	if _, known := a.plainImages.Load(c.ImageID); known {
		return nil
	}
	image, err := a.cfg.Engine.Image(ctx, c.ImageID)
	if err != nil {
		return err
	}
	image.Present, image.ImageID = true, c.ImageID // a container outlives its image
	if err := a.checkImageOwner(image); err != nil {
		return err
	}
	if !slices.Contains(image.Tags, a.st.Install.Snapshot) {
		a.plainImages.Store(c.ImageID, nil)
	}
	return nil
}
