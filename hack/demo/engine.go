package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

const (
	published = "ubuntu:22.04" // the page's image
	fallback  = "lightd-test/debian:latest"
	callLimit = 10 * time.Second
)

// engine is Docker as everybody else on the machine sees it: the demo's way round the
// daemon.
type engine struct{ *client.Client }

func connect(ctx context.Context) (engine, error) {
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return engine{}, fmt.Errorf("find the Docker Engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if _, err := c.Ping(ctx); err != nil {
		return engine{}, errors.Join(fmt.Errorf("the demo needs a Docker Engine (\"make engine\" starts one): %w", err), c.Close())
	}
	if !strings.HasPrefix(c.DaemonHost(), "unix://") {
		return engine{}, errors.Join(fmt.Errorf("the demo needs an engine on this machine, not %s", c.DaemonHost()), c.Close())
	}
	return engine{c}, nil
}

// image returns what to install on: what the environment names, else the page's image if
// it is here, else that of the tests.
func (e engine) image(ctx context.Context) (string, error) {
	if ref := os.Getenv("LIGHTD_DEMO_IMAGE"); ref != "" {
		return ref, nil
	}
	switch _, err := e.ImageInspect(ctx, published); {
	case err == nil:
		return published, nil
	case errdefs.IsNotFound(err):
		return fallback, nil
	default:
		return "", fmt.Errorf("look for image %s: %w", published, err)
	}
}

// freeID returns the page's id, or one like it if this engine has a container of it.
func (e engine) freeID(ctx context.Context) (string, error) {
	for n := 1; n < 1000; n++ {
		id := fmt.Sprintf("my-server-%03d", n)
		taken := false
		for _, name := range []string{"lightd-" + id, "lightd_install-" + id} {
			_, err := e.ContainerInspect(ctx, name)
			if err != nil && !errdefs.IsNotFound(err) {
				return "", fmt.Errorf("look for container %s: %w", name, err)
			}
			taken = taken || err == nil
		}
		if !taken {
			return id, nil
		}
	}
	return "", errors.New("this engine has a thousand containers of the demo's name")
}

// found is a container of the demo's own daemon.
type found struct{ id, instance string }

// containers lists those of id whose files are below dir: nobody else's.
func (e engine) containers(ctx context.Context, id, dir string) ([]found, error) {
	list, err := e.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "lightd.id="+id))})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var ours []found
	for _, c := range list {
		below := func(m container.MountPoint) bool {
			return strings.HasPrefix(m.Source, dir+string(filepath.Separator))
		}
		if slices.ContainsFunc(c.Mounts, below) {
			ours = append(ours, found{c.ID, c.Labels["lightd.instance"]})
		}
	}
	return ours, nil
}

// images lists the installations that an instance keeps.
func (e engine) images(ctx context.Context, instance string) ([]string, error) {
	list, err := e.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "lightd/"+instance))})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var refs []string
	for _, i := range list {
		refs = append(refs, i.RepoTags...)
	}
	return refs, nil
}

// imageEvents tells of every change to an image until ctx ends.
func (e engine) imageEvents(ctx context.Context) (<-chan events.Message, <-chan error) {
	return e.Events(ctx, events.ListOptions{Filters: filters.NewArgs(filters.Arg("type", "image"))})
}

// remove takes away what the daemon did not.
func (e engine) remove(ctx context.Context, id, dir, instance string) error {
	left, err := e.containers(ctx, id, dir)
	errs := []error{err}
	for _, c := range left {
		instance = c.instance
		err := e.ContainerRemove(ctx, c.id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("remove container %.12s: %w", c.id, err))
		}
	}
	if instance == "" {
		return errors.Join(errs...)
	}
	refs, err := e.images(ctx, instance)
	errs = append(errs, err)
	for _, ref := range refs {
		_, err := e.ImageRemove(ctx, ref, image.RemoveOptions{Force: true, PruneChildren: true})
		if err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("remove image %s: %w", ref, err))
		}
	}
	return errors.Join(errs...)
}
