package engine

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errhttp"
	"github.com/docker/docker/client"
)

// ChangeKind is how a path differs from the image.
type ChangeKind int

// The kinds of change, as Docker numbers them.
const (
	Modified ChangeKind = iota
	Added
	Deleted
)

// Change is a path of a container that differs from its image.
type Change struct {
	Path string
	Kind ChangeKind
}

// Changes calls each with what differs in a container's file system from its image, until
// each returns false. The list is as long as what a script wrote, so it is decoded entry by
// entry; the Docker client reads it whole.
func (e *Engine) Changes(ctx context.Context, containerID string, each func(Change) bool) error {
	return e.call(ctx, e.timeouts.Commit, "list changes of container", containerID,
		func(ctx context.Context, s *session) error {
			body, err := s.get(ctx, "/v"+s.ClientVersion()+"/containers/"+containerID+"/changes")
			if err != nil {
				return err
			}
			defer body.Close()
			return decodeChanges(body, each)
		})
}

// decodeChanges reads the array of Docker, which is null when there are none.
func decodeChanges(r io.Reader, each func(Change) bool) error {
	decoder := json.NewDecoder(r)
	first, err := decoder.Token()
	switch {
	case err != nil:
		return fmt.Errorf("read changes: %w", err)
	case first == nil:
		return nil
	case first != json.Delim('['):
		return fmt.Errorf("%w: changes are no list", cerrdefs.ErrInternal)
	}
	for decoder.More() {
		var c Change
		if err := decoder.Decode(&c); err != nil {
			return fmt.Errorf("read changes: %w", err)
		}
		if !each(c) {
			return nil
		}
	}
	if _, err := decoder.Token(); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read changes: %w", err)
	}
	return nil
}

// LayerSize returns how many bytes a container has written in its file system outside of its mounts. The
// engine counts the files that have a name; those that are open without one are added where they can be read.
func (e *Engine) LayerSize(ctx context.Context, containerID string) (size int64, err error) {
	err = e.call(ctx, e.timeouts.Measure, "measure the layer of container", containerID,
		func(ctx context.Context, s *session) error {
			found, _, err := s.ContainerInspectWithRaw(ctx, containerID, true)
			if err != nil {
				return err
			}
			if found.ContainerJSONBase == nil || found.SizeRw == nil || *found.SizeRw < 0 {
				return fmt.Errorf("%w: no size of the layer", cerrdefs.ErrInternal)
			}
			size = *found.SizeRw
			if e.unlinked == nil || found.State == nil {
				return nil
			}
			held, err := e.unlinked(found.State.Pid, containerID)
			size += held
			return err
		})
	return size, err
}

// HasFile reports whether a path is in the file system of a container. A link is followed.
func (e *Engine) HasFile(ctx context.Context, containerID, path string) (found bool, err error) {
	err = e.call(ctx, e.timeouts.Query, "find path in container", containerID+": "+path,
		func(ctx context.Context, s *session) error {
			stat, err := s.ContainerStatPath(ctx, containerID, path)
			if err == nil && stat.Mode&fs.ModeSymlink != 0 && stat.LinkTarget != "" {
				_, err = s.ContainerStatPath(ctx, containerID, stat.LinkTarget)
			}
			found = err == nil
			if cerrdefs.IsNotFound(err) {
				return nil
			}
			return err
		})
	return found, err
}

// ReadFile returns a regular file of a container's file system, whether that runs or not. A link is not followed. The
// error's class is NotFound where there is none, and one of more than limit bytes is refused.
func (e *Engine) ReadFile(ctx context.Context, containerID, path string, limit int64) (data []byte, err error) {
	err = e.call(ctx, e.timeouts.Query, "read file of container", containerID+": "+path,
		func(ctx context.Context, s *session) error {
			body, _, err := s.CopyFromContainer(ctx, containerID, path)
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }() // it was only read
			archive := tar.NewReader(body)
			header, err := archive.Next()
			switch {
			case err != nil:
				return fmt.Errorf("read archive: %w", err)
			case header.Typeflag != tar.TypeReg || header.Size > limit:
				return fmt.Errorf("%w: %s is no file of at most %d bytes", cerrdefs.ErrInvalidArgument, path, limit)
			}
			data, err = io.ReadAll(io.LimitReader(archive, limit))
			return err
		})
	return data, err
}

// get requests a path and returns the body of a success.
func (s *session) get(ctx context.Context, path string) (io.ReadCloser, error) {
	target := url.URL{Scheme: "http", Host: client.DummyHost, Path: path}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cerrdefs.ErrInvalidArgument, err)
	}
	answer, err := s.HTTPClient().Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1024))
	return nil, fmt.Errorf("%w: the engine answered %s: %s", errhttp.ToNative(answer.StatusCode), answer.Status, text)
}
