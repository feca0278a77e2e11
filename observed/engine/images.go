package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errhttp"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/credentials"
)

// Image returns what Docker has of a reference: one that is missing is no error.
func (e *Engine) Image(ctx context.Context, ref string) (observed.Image, error) {
	known := observed.Image{Known: true}
	err := e.call(ctx, e.timeouts.Query, "inspect image", ref, func(ctx context.Context, s *session) error {
		found, err := s.ImageInspect(ctx, ref)
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		known.Present, known.ImageID, known.Tags = true, found.ID, s.familiarTags(found.RepoTags)
		if found.Config != nil {
			known.User, known.StopSignal, known.Env = found.Config.User, found.Config.StopSignal, found.Config.Env
			known.Volumes = slices.Sorted(maps.Keys(found.Config.Volumes))
			if check := found.Config.Healthcheck; check != nil {
				known.Healthcheck = check.Test
			}
		}
		return nil
	})
	if err != nil {
		return observed.Image{}, err
	}
	return known, nil
}

// Repository returns the name under which the snapshots of an instance are kept; the tag
// is the owner's.
func Repository(instance string) string { return desired.SnapshotRepository(instance) }

// Tagged is an image under one of its names.
type Tagged struct {
	Ref, ImageID string
	Created      time.Time
}

// Images returns the snapshots of our instance.
func (e *Engine) Images(ctx context.Context) ([]Tagged, error) {
	repository := Repository(e.instance)
	var list []Tagged
	err := e.call(ctx, e.timeouts.Query, "list images of", repository, func(ctx context.Context, s *session) error {
		found, err := s.images(ctx, image.ListOptions{
			Filters: filters.NewArgs(filters.Arg("reference", repository)),
		})
		for _, i := range found {
			for _, tag := range i.RepoTags {
				list = append(list, Tagged{Ref: tag, ImageID: i.ID, Created: time.Unix(i.Created, 0).UTC()})
			}
		}
		return err
	})
	return list, err
}

// Tag gives an image one more name. NotFound means that the image is gone.
func (e *Engine) Tag(ctx context.Context, imageID, ref string) error {
	return e.act(ctx, e.timeouts.Query, "name image", imageID+" "+ref, func(ctx context.Context, s *session) error {
		return s.ImageTag(ctx, imageID, ref)
	})
}

// RemoveImage takes a name from an image, and removes the image if it has no other. NotFound
// means that it is gone already, Conflict that a container needs it.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	return e.act(ctx, e.timeouts.Remove, "remove image", ref, func(ctx context.Context, s *session) error {
		_, err := s.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
		return err
	})
}

// imageUser is a USER that an instruction can be made of: a name or an id, with a group.
var imageUser = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*(:[A-Za-z0-9_.][A-Za-z0-9_.-]*)?$`)

// CheckUser refuses a USER of an image that Commit cannot keep. An image may have any text there: a
// line break would begin another instruction, and a "$" stand for a variable.
func CheckUser(user string) error {
	if user != "" && !imageUser.MatchString(user) {
		return fmt.Errorf("%w: its USER %s is no name or id", cerrdefs.ErrInvalidArgument, desired.Quote(user))
	}
	return nil
}

// Commit keeps a container's file system as the image ref and returns the image's id. User
// is the image's own USER, which the container that ran the script may have run without;
// empty leaves what the container had. It is the only text of an image that is written into an
// instruction; Refused means that it fits none, see CheckUser.
func (e *Engine) Commit(ctx context.Context, containerID, ref, user string) (imageID string, err error) {
	options := container.CommitOptions{Reference: ref, Pause: true}
	if err := CheckUser(user); err != nil {
		return "", fmt.Errorf("keep container as image %s: %w", ref, err)
	}
	if user != "" {
		options.Changes = []string{"USER " + user}
	}
	err = e.act(ctx, e.timeouts.Commit, "keep container as image", ref+", "+containerID,
		func(ctx context.Context, s *session) error {
			s.forCommit(&options)
			made, err := s.ContainerCommit(ctx, containerID, options)
			imageID = withDigest(made.ID)
			return err
		})
	return imageID, err
}

// SaveImage calls read with an image and all of its layers, as an archive. NotFound means that
// the image is gone.
func (e *Engine) SaveImage(ctx context.Context, ref string, read func(io.Reader) error) error {
	return e.call(ctx, e.timeouts.Commit, "save image", ref, func(ctx context.Context, s *session) error {
		body, err := s.ImageSave(ctx, []string{ref})
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		return read(body)
	})
}

// LoadImage takes over what an archive holds. An error of the archive is in the chain of the
// error, and the engine has taken over nothing then.
func (e *Engine) LoadImage(ctx context.Context, archive func() (io.ReadCloser, error)) error {
	return e.act(ctx, e.timeouts.Commit, "load image from", "its archive", func(ctx context.Context, s *session) error {
		from, err := archive()
		if err != nil {
			return err
		}
		defer func() { _ = from.Close() }()
		source := &broken{Reader: from}
		answer, err := s.ImageLoad(ctx, source, client.ImageLoadWithQuiet(true))
		if err == nil {
			defer func() { _ = answer.Body.Close() }()
			err = follow(answer.Body, func(Progress) {})
		}
		return errors.Join(err, source.failed())
	})
}

// broken keeps why a reader has failed, which the error of the engine does not contain.
type broken struct {
	io.Reader
	mu  sync.Mutex
	err error
}

// Read implements io.Reader.
func (b *broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	return n, err
}

func (b *broken) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Pull fetches an image and returns when all of it is here. Progress is called with each
// report of progress. The context alone bounds it. NotFound and Refused mean
// that the registry has no such image for us.
func (e *Engine) Pull(ctx context.Context, ref string, progress func(Progress)) error {
	if _, err := reference.ParseNormalizedNamed(ref); err != nil {
		return fmt.Errorf("pull image %s: %w: %w", ref, cerrdefs.ErrInvalidArgument, err)
	}
	auth, err := e.credentials(ctx, ref)
	if err != nil {
		return fmt.Errorf("pull image %s: %w", ref, err)
	}
	return e.observe(ctx, CallPull, ref, func(ctx context.Context) error {
		return redact(auth, e.try(ctx, func(ctx context.Context, s *session) error {
			body, err := s.ImagePull(ctx, ref, image.PullOptions{RegistryAuth: auth})
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }()
			return follow(body, progress)
		}))
	})
}

// redact keeps the secrets of a header X-Registry-Auth out of the text of an error: the answer of a registry may
// repeat them.
func redact(auth string, err error) error {
	if err == nil || auth == "" {
		return err
	}
	return &redactedError{credentials.Redact(err.Error(), auth), err}
}

// redactedError is an error with another text.
type redactedError struct {
	text  string
	cause error
}

// Error implements error.
func (e *redactedError) Error() string { return e.text }

// Unwrap is for errors.Is and errors.As.
func (e *redactedError) Unwrap() error { return e.cause }

// follow reads the stream of a pull to its end. An error in it is one, although the answer
// began with 200.
func follow(r io.Reader, progress func(Progress)) error {
	var all layers
	for decoder := json.NewDecoder(r); ; {
		var m jsonmessage.JSONMessage
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read progress: %w", err)
		}
		if m.Error != nil {
			return pullError(m.Error)
		}
		progress(all.after(m))
	}
}

// pullError types an error inside the stream by the status code that it may have.
func pullError(e *jsonmessage.JSONError) error {
	if e.Code == 0 {
		return fmt.Errorf("%w: %w", cerrdefs.ErrInternal, e)
	}
	return fmt.Errorf("%w: %w", errhttp.ToNative(e.Code), e)
}
