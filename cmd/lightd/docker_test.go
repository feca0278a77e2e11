package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"lightd/hack/harness"
)

// docker is the engine seen past Lightd.
type docker struct {
	t testing.TB
	*client.Client
}

func newDocker(t testing.TB) *docker {
	t.Helper()
	return &docker{t, harness.Docker(t)}
}

func (d *docker) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func (d *docker) inspect(name string) container.InspectResponse {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	c, err := d.ContainerInspect(ctx, name)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *docker) absent(name string) bool {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	_, err := d.ContainerInspect(ctx, name)
	if err != nil && !errdefs.IsNotFound(err) {
		d.t.Fatal(err)
	}
	return err != nil
}

// start starts a container behind the daemon's back.
func (d *docker) start(name string) {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	if err := d.ContainerStart(ctx, name, container.StartOptions{}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *docker) kill(name string) {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	if err := d.ContainerKill(ctx, name, "SIGKILL"); err != nil {
		d.t.Fatal(err)
	}
}

func (d *docker) remove(name string) {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	if err := d.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}); err != nil && !errdefs.IsNotFound(err) {
		d.t.Fatal(err)
	}
}

// stranger runs a container that Lightd knows nothing of.
func (d *docker) stranger(name string, labels map[string]string) string {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	made, err := d.ContainerCreate(ctx, &container.Config{Image: harness.Busybox(), Cmd: []string{"sleep", "1000"}, Labels: labels},
		&container.HostConfig{NetworkMode: "none"}, nil, nil, name)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { d.remove(made.ID) })
	if err := d.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		d.t.Fatal(err)
	}
	return made.ID
}

// exec runs a command in a container and returns its output; a failing one ends the test.
func (d *docker) exec(name string, command ...string) string {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	made, err := d.ContainerExecCreate(ctx, name, container.ExecOptions{Cmd: command, AttachStdout: true, AttachStderr: true})
	if err != nil {
		d.t.Fatal(err)
	}
	conn, err := d.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	var out, errOut bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errOut, conn.Reader); err != nil && err != io.EOF {
		d.t.Fatal(err)
	}
	poll(d.t, func() error {
		e, err := d.ContainerExecInspect(ctx, made.ID)
		if err != nil {
			return err
		}
		if e.Running {
			return fmt.Errorf("%v still runs", command)
		}
		if e.ExitCode != 0 {
			d.t.Fatalf("%v in %s: exit code %d, %s%s", command, name, e.ExitCode, &out, &errOut)
		}
		return nil
	})
	return out.String()
}
