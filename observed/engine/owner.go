package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"lightd/observed"
)

// Presence is what an engine shows of an instance.
type Presence struct {
	Containers, Images, Volumes int
	// Marked is true when the mark of its owner is there.
	Marked bool
	// Epochs are those that containers and the mark carry, each once.
	Epochs []string
}

// Empty reports whether there is nothing.
func (p Presence) Empty() bool { return p.Containers+p.Images+p.Volumes == 0 && !p.Marked }

// String counts what there is.
func (p Presence) String() string {
	text := count(p.Containers, "container") + ", " + count(p.Images, "image") + ", " + count(p.Volumes, "volume")
	if p.Marked {
		text += " and the mark"
	}
	return text
}

func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// Presence returns what the engine shows of our instance.
func (e *Engine) Presence(ctx context.Context) (Presence, error) {
	var p Presence
	list, err := e.List(ctx)
	if err != nil {
		return p, err
	}
	images, err := e.Images(ctx)
	if err != nil {
		return p, err
	}
	volumes, err := e.Volumes(ctx)
	if err != nil {
		return p, err
	}
	p.Containers, p.Images, p.Volumes = len(list), len(images), len(volumes)
	for _, c := range list {
		p.Epochs = append(p.Epochs, c.Labels[observed.LabelOwnerEpoch])
	}
	err = e.call(ctx, e.timeouts.Query, "list the owner mark of", e.instance, func(ctx context.Context, s *session) error {
		found, err := s.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", observed.LabelOwner+"="+e.instance))})
		for _, v := range found.Volumes {
			p.Marked, p.Epochs = true, append(p.Epochs, v.Labels[observed.LabelOwnerEpoch])
		}
		return err
	})
	slices.Sort(p.Epochs)
	p.Epochs = slices.Compact(p.Epochs)
	return p, err
}

// OwnerMark is the name of the volume that marks the owner of an instance. It holds no data:
// where a prune takes it, it is made again.
func OwnerMark(instance string) string { return ownerPrefix + instance }

const ownerPrefix = "lightd-owner-"

// Owner returns the epoch of the mark of our instance. NotFound means that there is no mark. It
// changes nothing, and makes no event: Docker reports the creation of a volume that exists, too. Acts at the same
// time share a reading that begins after all of them have asked.
func (e *Engine) Owner(ctx context.Context) (string, error) { return e.marks.do(ctx, e.readOwner) }

func (e *Engine) readOwner(ctx context.Context) (epoch string, err error) {
	err = e.call(ctx, e.timeouts.Query, "inspect the owner mark of", e.instance, func(ctx context.Context, s *session) error {
		v, err := s.VolumeInspect(ctx, OwnerMark(e.instance))
		epoch = v.Labels[observed.LabelOwnerEpoch]
		return err
	})
	return epoch, err
}

// ClaimOwner makes the mark of our instance unless there is one, which Docker decides, and
// returns the epoch of the one that is there.
func (e *Engine) ClaimOwner(ctx context.Context, epoch string) (holder string, err error) {
	err = e.call(ctx, e.timeouts.Query, "claim instance", e.instance, func(ctx context.Context, s *session) error {
		v, err := s.VolumeCreate(ctx, volume.CreateOptions{Name: OwnerMark(e.instance), Driver: "local",
			Labels: map[string]string{observed.LabelOwner: e.instance, observed.LabelOwnerEpoch: epoch}})
		holder = v.Labels[observed.LabelOwnerEpoch]
		return err
	})
	return holder, err
}

// ReplaceOwner puts a mark of another epoch in the place of the one that is there.
func (e *Engine) ReplaceOwner(ctx context.Context, epoch string) error {
	for range 10 { // the owner before may make its own again meanwhile
		err := e.call(ctx, e.timeouts.Remove, "remove the owner mark of", e.instance, func(ctx context.Context, s *session) error {
			return s.VolumeRemove(ctx, OwnerMark(e.instance), false)
		})
		if err != nil && Classify(err) != NotFound {
			return err
		}
		holder, err := e.ClaimOwner(ctx, epoch)
		if err != nil || holder == epoch {
			return err
		}
	}
	return fmt.Errorf("mark the owner of instance %s: another daemon puts its own mark back", e.instance)
}
