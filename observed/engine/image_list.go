package engine

import (
	"context"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

// ListedImage is what a list has of an image.
type ListedImage struct {
	ImageID string
	// Tags and Digests are its names, with a tag or with a digest.
	Tags, Digests []string
	// Used is true where a container of anybody, running or not, was made from it, or another image
	// is known to rest on it.
	Used bool
}

// AllImages returns all images of the engine, whosever they are, by their ids.
func (e *Engine) AllImages(ctx context.Context) (map[string]ListedImage, error) {
	list := map[string]ListedImage{}
	err := e.call(ctx, e.timeouts.Query, "list", "all images", func(ctx context.Context, s *session) error {
		found, err := s.ImageList(ctx, image.ListOptions{All: true})
		if err != nil {
			return err
		}
		containers, err := s.ContainerList(ctx, container.ListOptions{All: true})
		if err != nil {
			return err
		}
		used := map[string]bool{}
		for _, c := range containers {
			used[c.ImageID] = true
		}
		for _, i := range found {
			used[i.ParentID] = true
		}
		for _, i := range found {
			one := ListedImage{ImageID: i.ID, Used: used[i.ID]}
			for _, tag := range i.RepoTags {
				if tag != noTag {
					one.Tags = append(one.Tags, tag)
				}
			}
			for _, digest := range i.RepoDigests {
				if digest != noDigest {
					one.Digests = append(one.Digests, digest)
				}
			}
			list[i.ID] = one
		}
		return nil
	})
	return list, err
}

// What engines before 25 list in the place of no name.
const (
	noTag    = "<none>:<none>"
	noDigest = "<none>@<none>"
)
