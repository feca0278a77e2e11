package engine

import (
	"context"

	"github.com/docker/docker/api/types/volume"

	"lightd/observed"
)

// Volume is one of Docker's volumes that belongs to our instance.
type Volume struct {
	Name string
	// InternalID is the container that it was made for.
	InternalID string
}

// Volumes returns the volumes of our instance. Their data is in the data directory.
func (e *Engine) Volumes(ctx context.Context) ([]Volume, error) {
	var list []Volume
	err := e.call(ctx, e.timeouts.Query, "list volumes of", e.instance, func(ctx context.Context, s *session) error {
		found, err := s.VolumeList(ctx, volume.ListOptions{Filters: e.ours()})
		for _, v := range found.Volumes {
			list = append(list, Volume{Name: v.Name, InternalID: v.Labels[observed.LabelID]})
		}
		return err
	})
	return list, err
}

// RemoveVolume removes a volume, and none of the data in its directory. NotFound means that
// it is gone already, Conflict that a container has it.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	return e.act(ctx, e.timeouts.Remove, "remove volume", name, func(ctx context.Context, s *session) error {
		return s.VolumeRemove(ctx, name, false)
	})
}
