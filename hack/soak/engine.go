package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/moby/sys/mountinfo"

	"lightd/observed"
)

// engine is the Docker engine under the daemon.
type engine struct {
	*client.Client

	kind string // of hack/engine-kinds; empty for Debian's Docker
	dir  string // where hack/engine keeps the engine that this run has started; empty for one that was there
	log  string // where the log of that engine is left
}

// sharedEngine is the engine that DOCKER_HOST names.
func sharedEngine() (*engine, error) {
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("make Docker client: %w", err)
	}
	return &engine{Client: c}, nil
}

// ownEngine starts an engine of a kind in a directory, with an image of the one that DOCKER_HOST names.
func ownEngine(ctx context.Context, kind, dir, log, ref string) (*engine, error) {
	shared, err := sharedEngine()
	if err != nil {
		return nil, err
	}
	defer shared.Close()
	e := &engine{kind: kind, dir: dir, log: log}
	if kind != "" {
		e.dir += "-" + kind // as hack/engine names it
	}
	if e.Client, err = client.NewClientWithOpts(client.WithHost("unix://"+e.socket()), client.WithAPIVersionNegotiation()); err != nil {
		return nil, fmt.Errorf("make Docker client: %w", err)
	}
	if err := e.script(ctx, "up"); err != nil {
		return nil, err
	}
	if err := e.copyImage(ctx, shared, ref); err != nil {
		return nil, errors.Join(err, e.end())
	}
	return e, nil
}

// socket returns where the engine listens, as hack/engine names it.
func (e *engine) socket() string {
	if e.kind != "" {
		return filepath.Join(e.dir, "s-"+e.kind+".sock")
	}
	return filepath.Join(e.dir, "s")
}

// copyImage brings an image over from another engine.
func (e *engine) copyImage(ctx context.Context, from *engine, ref string) error {
	saved, err := from.ImageSave(ctx, []string{ref})
	if err != nil {
		return fmt.Errorf("save %s: %w", ref, err)
	}
	defer saved.Close()
	loaded, err := e.ImageLoad(ctx, saved)
	if err != nil {
		return fmt.Errorf("load %s: %w", ref, err)
	}
	// A later engine loads while its answer is read.
	_, err = io.Copy(io.Discard, loaded.Body)
	if err = errors.Join(err, loaded.Body.Close()); err != nil {
		return fmt.Errorf("load %s: %w", ref, err)
	}
	if _, err := e.ImageInspect(ctx, ref); err != nil {
		return fmt.Errorf("find %s once it is loaded: %w", ref, err)
	}
	return nil
}

// script runs hack/engine for this engine.
func (e *engine) script(ctx context.Context, command string) error {
	args, dir := []string{command}, e.dir
	if e.kind != "" {
		args, dir = []string{e.kind, command}, strings.TrimSuffix(e.dir, "-"+e.kind)
	}
	cmd := exec.CommandContext(ctx, "hack/engine", args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "DOCKER_") }),
		"LIGHTD_ENGINE_DIR="+dir, "LIGHTD_ENGINE_SOCKET="+filepath.Join(e.dir, "s"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("hack/engine %s: %w\n%s", command, err, out)
	}
	return nil
}

// restart ends the engine, and with it all its containers, and starts it again.
func (e *engine) restart(ctx context.Context) error {
	return errors.Join(e.script(ctx, "down"), e.script(ctx, "up"))
}

// end stops an engine that this run has started, and removes what it has kept.
func (e *engine) end() error {
	defer e.Close()
	if e.dir == "" {
		return nil
	}
	err := e.script(context.Background(), "down")
	return errors.Join(err, os.Rename(filepath.Join(e.dir, "docker.log"), e.log), e.unmount(), os.RemoveAll(e.dir))
}

// unmount undoes the mounts that the engine leaves in its directory.
func (e *engine) unmount() error {
	left, err := mountinfo.GetMounts(mountinfo.PrefixFilter(e.dir))
	slices.Reverse(left)
	for _, m := range left {
		err = errors.Join(err, syscall.Unmount(m.Mountpoint, syscall.MNT_DETACH))
	}
	return err
}

// mine returns what an instance has on the engine: the names of its containers and images.
func (e *engine) mine(ctx context.Context, instance string) ([]string, error) {
	containers, err := e.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", observed.LabelInstance+"="+instance)),
	})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	images, err := e.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "lightd/"+instance))})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var names []string
	for _, c := range containers {
		names = append(names, "container "+strings.Join(c.Names, " "))
	}
	for _, i := range images {
		names = append(names, "image "+strings.Join(i.RepoTags, " "))
	}
	return names, nil
}

// resources returns the networks and volumes of the engine.
func (e *engine) resources(ctx context.Context) ([]string, error) {
	networks, err := e.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	volumes, err := e.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var names []string
	for _, n := range networks {
		names = append(names, "network "+n.Name)
	}
	for _, v := range volumes.Volumes {
		names = append(names, "volume "+v.Name)
	}
	return names, nil
}
