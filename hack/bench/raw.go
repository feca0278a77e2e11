package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/go-connections/nat"
	"golang.org/x/sync/errgroup"
)

// The targets of the mounts that a template has, and the port inside.
const (
	homeTarget = "/home/container"
	dataTarget = "/app/data"
	innerPort  = 8080
)

// template is how the daemon makes its containers, as the engine shows it: the same
// calls can be made without the daemon.
type template struct {
	config  *container.Config
	host    *container.HostConfig
	dataDir string
}

func (l *lab) readTemplate(ctx context.Context, id string) (*template, error) {
	made, err := l.docker.ContainerInspect(ctx, "lightd-"+id)
	if err != nil {
		return nil, fmt.Errorf("look at what the daemon makes: %w", err)
	}
	t := &template{config: made.Config, host: made.HostConfig}
	t.config.Hostname = "" // Docker's own choice, a new one each time
	t.config.Labels = map[string]string{"bench": l.run}
	for _, m := range t.host.Mounts {
		if m.Target == dataTarget {
			t.dataDir = m.Source
		}
	}
	if t.dataDir == "" {
		return nil, fmt.Errorf("look at what the daemon makes: nothing is mounted at %s", dataTarget)
	}
	return t, nil
}

// fill returns the template with the directories and the port of one container.
func (t *template) fill(home, data string, port int) (*container.Config, *container.HostConfig) {
	host := *t.host
	host.Mounts = append(host.Mounts[:0:0], t.host.Mounts...)
	for i := range host.Mounts {
		switch host.Mounts[i].Target {
		case homeTarget:
			host.Mounts[i].Source = home
		case dataTarget:
			host.Mounts[i].Source = data
		}
	}
	host.PortBindings = nat.PortMap{}
	for inside := range t.host.PortBindings {
		host.PortBindings[inside] = []nat.PortBinding{{HostIP: "127.0.0.1", HostPort: strconv.Itoa(port)}}
	}
	return t.config, &host
}

// place has the directories of one container.
type place struct{ home, data string }

func (l *lab) newPlace(t *template, name string) (place, error) {
	base := filepath.Join(l.dir, "raw", name)
	p := place{filepath.Join(base, "home"), filepath.Join(base, "data")}
	if err := errors.Join(os.MkdirAll(p.home, 0o777), os.CopyFS(p.data, os.DirFS(t.dataDir))); err != nil {
		return p, fmt.Errorf("make directories: %w", err)
	}
	return p, nil
}

// createRaw creates a container with the Docker client alone, and returns its id.
func (l *lab) createRaw(ctx context.Context, t *template, at place, i int) (string, error) {
	config, host := t.fill(at.home, at.data, l.ports+i)
	made, err := l.docker.ContainerCreate(ctx, config, host, nil, nil, fmt.Sprintf("%s-raw-%d", l.run, i))
	if err != nil {
		return "", fmt.Errorf("create: %w", err)
	}
	return made.ID, nil
}

// raw creates and starts a fleet with the Docker client alone, so many at once, and
// returns how long it took.
func (l *lab) raw(ctx context.Context, t *template, round string, atOnce int) (time.Duration, error) {
	places := make([]place, l.size.fleet)
	for i := range places {
		var err error
		if places[i], err = l.newPlace(t, filepath.Join(round, strconv.Itoa(i))); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, at := range places {
		group.Go(func() error {
			id, err := l.createRaw(ctx, t, at, i)
			if err != nil {
				return err
			}
			if err := l.docker.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
				return fmt.Errorf("start: %w", err)
			}
			return nil
		})
	}
	err := group.Wait()
	return time.Since(began), err
}

// keep copies a directory to where it lives as long as this run.
func (l *lab) keep(dir string) (string, error) {
	kept := filepath.Join(l.dir, "template")
	if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
		return "", fmt.Errorf("keep %s: %w", dir, err)
	}
	return kept, nil
}

// calm is how long nothing may turn up before everything counts as removed: the engine
// finishes a creation that whoever asked for it has given up.
const calm = 3 * time.Second

// clean removes everything of this run from the engine, also when the run was cut off.
func (l *lab) clean() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for since := time.Now(); time.Since(since) < calm; {
		removed, err := l.sweep(ctx)
		if err != nil {
			return err
		}
		if removed > 0 {
			since = time.Now()
		}
		if err := sleep(ctx, calm/10); err != nil {
			return fmt.Errorf("remove what is left: %w", err)
		}
	}
	return nil
}

// sweep removes the containers of this run that there are now, and returns how many.
func (l *lab) sweep(ctx context.Context) (int, error) {
	return l.removeNamed(ctx, "^/(lightd-)?"+l.run+"-")
}

// sweepRaw removes those of them that no daemon has made.
func (l *lab) sweepRaw(ctx context.Context) (int, error) {
	return l.removeNamed(ctx, "^/"+l.run+"-raw-")
}

func (l *lab) removeNamed(ctx context.Context, pattern string) (int, error) {
	found, err := l.docker.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("name", pattern))})
	if err != nil {
		return 0, fmt.Errorf("find what is left: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(8)
	for _, c := range found {
		group.Go(func() error {
			err := l.docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
			if err != nil && !cerrdefs.IsNotFound(err) && !cerrdefs.IsConflict(err) {
				return fmt.Errorf("remove what is left: %w", err)
			}
			return nil
		})
	}
	return len(found), group.Wait()
}
