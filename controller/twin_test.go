package controller_test

import (
	"context"
	"slices"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"lightd/desired"
	"lightd/observed/status"
)

// placeTwin puts a container with the labels and the name of another one in its place: privileged, and
// in the host's PID namespace. The result returns what the engine did with it until it was removed.
func placeTwin(t *testing.T, docker *client.Client, containerID string) (twin string, history func() []events.Action) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	messages, errs := docker.Events(ctx, events.ListOptions{Filters: filters.NewArgs(filters.Arg("type", "container"))})
	was, err := docker.ContainerInspect(ctx, containerID)
	if err != nil {
		t.Fatal(err)
	}
	was.HostConfig.Privileged, was.HostConfig.PidMode = true, "host"
	var made container.CreateResponse
	for { // the daemon may have made another one before the twin is there
		if err := docker.ContainerRemove(ctx, was.Name, container.RemoveOptions{Force: true}); err != nil && !cerrdefs.IsNotFound(err) && !cerrdefs.IsConflict(err) {
			t.Fatal(err)
		}
		if made, err = docker.ContainerCreate(ctx, was.Config, was.HostConfig, nil, nil, was.Name); err == nil {
			break
		}
		if !cerrdefs.IsConflict(err) {
			t.Fatal(err)
		}
	}
	return made.ID, func() (did []events.Action) {
		defer cancel()
		for {
			select {
			case m := <-messages:
				if m.Actor.ID != made.ID {
					continue
				}
				if did = append(did, m.Action); m.Action == events.ActionDestroy {
					return did
				}
			case err := <-errs:
				t.Fatal(err)
			}
		}
	}
}

// replacesTwins places one while the daemon runs and one while it does not: neither is started, nor
// taken for the container.
func replacesTwins(t *testing.T, n *node, docker *client.Client) {
	n.create("twin", func(s *desired.Spec) { s.Power, s.StartPattern = desired.PowerRunning, "tick" })
	before := n.waitState("twin", status.StateRunning)
	for _, down := range []bool{false, true} {
		if down {
			n.stop()
		}
		twin, history := placeTwin(t, docker, before.ContainerID)
		if down {
			n = n.restart()
		}
		if did := history(); slices.Contains(did, events.ActionStart) {
			t.Errorf("daemon down %t: the twin was started: %v", down, did)
		}
		after := n.wait("twin", "running", func(st status.Status) bool {
			if st.ContainerID == twin {
				t.Errorf("daemon down %t: the twin is taken for the container", down)
			}
			return st.State == status.StateRunning && st.ContainerID != before.ContainerID && synced(st)
		})
		if found := n.inspect("twin"); found.ContainerID != after.ContainerID || len(found.Security.Privileges) > 0 {
			t.Errorf("daemon down %t: the container is %+v", down, found)
		}
		before = after
	}
}

func TestTwinsAreReplaced(t *testing.T) {
	sim, n, _ := onProgrammedSim(t)
	sim.OnCommand("entrypoint.sh", ticks)
	docker, err := sim.Client()
	if err != nil {
		t.Fatal(err)
	}
	replacesTwins(t, n, docker)
}
