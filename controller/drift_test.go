package controller_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"lightd/desired"
	"lightd/desired/subscribe"
	"lightd/hack/harness"
	"lightd/hack/simengine"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// drifts is the report of a container in one line.
func (n *node) drifts(id string) string {
	spec, _ := n.store.Container(id)
	fields, known := n.controller.Drift(spec)
	if !known {
		return "unknown"
	}
	var list []string
	for _, f := range fields {
		s := f.Path
		if f.Kind != drift.Spec {
			s += " " + string(f.Kind)
		}
		if f.Step != "" {
			s += " " + string(f.Step)
		}
		list = append(list, s)
	}
	return strings.Join(list, ", ")
}

// waitDrift waits until the report is as wanted. It compares after each change of the observation
// and of the record.
func (n *node) waitDrift(id, want string) {
	n.t.Helper()
	news := make(chan struct{}, 1)
	cancel := n.statuses.Subscribe(func(string) { subscribe.Wake(news) })
	defer cancel()
	deadline := time.After(60 * time.Second)
	for {
		got := n.drifts(id)
		if got == want {
			return
		}
		select {
		case <-news:
		case <-n.cacheChanged:
		case <-deadline:
			n.t.Fatalf("%s: the report is %q after 60 s, want %q", id, got, want)
		}
	}
}

// rebuild takes the place of a container with one of the same labels.
func rebuild(docker *client.Client, change func(*container.Config, *container.HostConfig)) func(context.Context, observed.Container) error {
	return func(ctx context.Context, c observed.Container) error {
		was, err := docker.ContainerInspect(ctx, c.ContainerID)
		if err != nil {
			return err
		}
		if err := docker.ContainerRemove(ctx, c.ContainerID, container.RemoveOptions{Force: true}); err != nil {
			return err
		}
		change(was.Config, was.HostConfig)
		made, err := docker.ContainerCreate(ctx, was.Config, was.HostConfig, nil, nil, c.Name)
		if err != nil {
			return err
		}
		return docker.ContainerStart(ctx, made.ID, container.StartOptions{})
	}
}

// disturbance is what is done to a container from outside, what a report shows of it, and what is
// left when it has healed.
type disturbance struct {
	name string
	do   func(context.Context, observed.Container) error
	want string
	left string
}

func disturbances(n *node, docker *client.Client, lan string) []disturbance {
	update := func(u container.UpdateConfig) func(context.Context, observed.Container) error {
		return func(ctx context.Context, c observed.Container) error {
			_, err := docker.ContainerUpdate(ctx, c.ContainerID, u)
			return err
		}
	}
	pids := int64(7)
	return []disturbance{
		{"renamed", func(ctx context.Context, c observed.Container) error {
			return docker.ContainerRename(ctx, c.ContainerID, c.Name+"-old")
		}, "name RenameContainer", ""},
		{"memory", update(container.UpdateConfig{Resources: container.Resources{Memory: 32 << 20, MemorySwap: 32 << 20}}), "limits.memory UpdateLimits", ""},
		{"cpu", update(container.UpdateConfig{Resources: container.Resources{NanoCPUs: 1e8}}), "limits.cpu UpdateLimits", ""},
		{"pids", update(container.UpdateConfig{Resources: container.Resources{PidsLimit: &pids}}), "limits.pids UpdateLimits", ""},
		{"restart policy", update(container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: "unless-stopped"}}), "restart_policy UpdateLimits", ""},
		{"frozen", func(ctx context.Context, c observed.Container) error {
			return harness.Pause(func() error { return docker.ContainerPause(ctx, c.ContainerID) })
		}, "power deferred UnpauseContainer", "power deferred UnpauseContainer"},
		{"killed", func(ctx context.Context, c observed.Container) error {
			return docker.ContainerKill(ctx, c.ContainerID, "KILL")
		}, "power StartContainer", ""},
		{"entry point", func(_ context.Context, c observed.Container) error {
			return os.WriteFile(filepath.Join(n.data.Path("full"), "entrypoint.sh"), []byte("exit 1"), 0o755)
		}, "entrypoint.sh WriteEntrypoint", ""},
		{"another network", func(ctx context.Context, c observed.Container) error {
			return docker.NetworkConnect(ctx, lan, c.ContainerID, nil)
		}, "networks deferred", "networks deferred"},
		{"off the network", func(ctx context.Context, c observed.Container) error {
			return docker.NetworkDisconnect(ctx, blueprint.DefaultNetwork.Name, c.ContainerID, true)
		}, "networks CreateContainer", ""},
		{"another host name", rebuild(docker, func(c *container.Config, _ *container.HostConfig) { c.Hostname = "other" }), "hostname deferred, container_id CreateContainer", ""},
		{"removed", func(ctx context.Context, c observed.Container) error {
			return docker.ContainerRemove(ctx, c.ContainerID, container.RemoveOptions{Force: true})
		}, "presence CreateContainer", ""},
		{"other variables", rebuild(docker, func(c *container.Config, _ *container.HostConfig) {
			c.Env = append(c.Env, "KEY=secret", "MORE=secret")
		}), "env.KEY CreateContainer, env.MORE CreateContainer, container_id CreateContainer", ""},
		{"another user", rebuild(docker, func(c *container.Config, _ *container.HostConfig) { c.User = "1" }), "user CreateContainer, container_id CreateContainer", ""},
		{"other options", rebuild(docker, func(c *container.Config, h *container.HostConfig) {
			c.WorkingDir, c.OpenStdin, c.StopSignal = "/tmp", false, "SIGKILL"
			h.LogConfig.Config["max-size"] = "1m"
		}), "working_dir CreateContainer, open_stdin CreateContainer, stop.signal deferred, log.max_size deferred, container_id CreateContainer", ""},
		{"more privileges", rebuild(docker, func(_ *container.Config, h *container.HostConfig) {
			h.PidMode, h.SecurityOpt = "host", append(h.SecurityOpt, "seccomp=unconfined")
		}), "privileges CreateContainer, container_id CreateContainer", ""},
		{"fewer mounts", rebuild(docker, func(_ *container.Config, h *container.HostConfig) { h.Mounts = h.Mounts[:2] }), "mount./extra CreateContainer, container_id CreateContainer", ""},
		{"no ports", rebuild(docker, func(_ *container.Config, h *container.HostConfig) { h.PortBindings = nil }), "ports CreateContainer, container_id CreateContainer", ""},
		{"another command", rebuild(docker, func(c *container.Config, _ *container.HostConfig) {
			c.Entrypoint, c.Cmd = []string{"/bin/sh"}, []string{"/app/data/entrypoint.sh"}
		}), "entrypoint CreateContainer, command CreateContainer, container_id CreateContainer", ""},
	}
}

// roundTrip creates a container of every field, which shows no drift, and disturbs it: the report
// is exactly what was done, and it heals once it may.
func roundTrip(t *testing.T, n *node, docker *client.Client) {
	if err := n.store.AddPorts(t.Context(), []desired.Endpoint{{IP: "127.0.0.1", Port: 7907, Protocol: desired.TCP}, {IP: "0.0.0.0", Port: 7908, Protocol: desired.UDP}}); err != nil {
		t.Fatal(err)
	}
	lan, err := docker.NetworkCreate(t.Context(), "lightd-drift-"+n.store.Instance(), network.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := docker.NetworkRemove(context.Background(), lan.ID); err != nil {
			t.Errorf("remove network: %v", err)
		}
	})
	extra := t.TempDir()
	n.create("full", func(s *desired.Spec) {
		s.Power, s.StartPattern, s.User = desired.PowerRunning, "tick", "0:0"
		s.Limits = desired.Limits{Memory: 64 << 20, CPU: 0.5, PIDs: 100}
		s.Ports = []desired.Port{{IP: "127.0.0.1", Port: 7907, Protocol: desired.TCP, ContainerPort: 80}, {IP: "0.0.0.0", Port: 7908, Protocol: desired.UDP}}
		s.Env, s.Mount, s.Labels = map[string]string{"KEY": "value"}, map[string]desired.Mount{"/extra": {Source: extra}}, map[string]string{"not": "docker's"}
	})
	n.create("other", func(s *desired.Spec) { s.TTY, s.Init, s.Stop.Signal, s.Limits.PIDs = false, false, "SIGINT", 0 })
	n.waitState("full", status.StateRunning)
	for _, id := range []string{"full", "other"} {
		n.wait(id, "in sync", func(st status.Status) bool { return st.Get(status.Synced).Status == status.True })
		n.waitDrift(id, "")
	}
	for _, d := range disturbances(n, docker, lan.ID) {
		n.change("full", func(c *desired.Container) { c.Paused = true })
		if err := d.do(t.Context(), n.inspect("full")); err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
		n.cache.Refresh("full", false) // files make no event
		n.waitDrift("full", d.want)
		free := n.change("full", func(c *desired.Container) { c.Paused = false })
		n.wait("full", "healed", func(st status.Status) bool {
			synced := st.Get(status.Synced)
			return st.State == status.StateRunning && synced.Status == status.True && synced.ObservedGeneration == free.Generation
		})
		if got := n.drifts("full"); got != d.left {
			t.Errorf("%s: afterwards the report is %q, want %q", d.name, got, d.left)
		}
	}
	movedTag(t, n, docker)
}

// movedTag lets the tag of a container that runs point to another image.
func movedTag(t *testing.T, n *node, docker *client.Client) {
	tag, ctx := "lightd-drift:"+n.store.Instance(), t.Context()
	if err := docker.ImageTag(ctx, harness.Busybox(), tag); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = docker.ImageRemove(context.Background(), tag, image.RemoveOptions{}) })
	n.create("tag", func(s *desired.Spec) { s.Image, s.Power = tag, desired.PowerRunning })
	n.waitState("tag", status.StateRunning)
	n.waitDrift("tag", "")
	if _, err := docker.ContainerCommit(ctx, observed.RunName("other"), container.CommitOptions{Reference: tag}); err != nil {
		t.Fatal(err)
	}
	n.waitDrift("tag", "image moved_tag")
	if st, _ := n.statuses.Get("tag"); st.Get(status.Synced).Status != status.True {
		t.Errorf("it is acted upon: %+v", st.Get(status.Synced))
	}
	before := n.inspect("tag")
	n.change("tag", func(c *desired.Container) { c.ImagePolicy = desired.ImageFollow })
	n.waitDrift("tag", "")
	if after := n.inspect("tag"); after.ImageID == before.ImageID {
		t.Error("the tag is to be followed, and was not")
	}
	n.change("tag", requestDelete)
	n.gone("tag")
}

// ticks is a program that prints a line and runs until it is told to end.
func ticks(ctx context.Context, p *simengine.Process) {
	fmt.Fprintln(p.Stdout(), "tick")
	select {
	case <-ctx.Done():
	case <-p.Signals():
	}
}

func TestDriftRoundTrip(t *testing.T) {
	sim, n, _ := onProgrammedSim(t)
	sim.OnCommand("entrypoint.sh", ticks)
	docker, err := sim.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = docker.Close() })
	roundTrip(t, n, docker)
}

// TestSinceSurvivesARestart of the daemon.
func TestSinceSurvivesARestart(t *testing.T) {
	sim, address := harness.SimHost(t, simengine.Options{AnyMounts: true}, harness.Busybox())
	docker, err := sim.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	dir, host := harness.MemoryDir(t), func(o *setup) { o.host = address }
	since := func(n *node) time.Time {
		n.wait("a", "recorded", func(st status.Status) bool { return !st.Differs["name"].IsZero() })
		n.waitDrift("a", "name RenameContainer")
		spec, _ := n.store.Container("a")
		fields, _ := n.controller.Drift(spec)
		return fields[0].Since
	}
	n := newNode(t, dir, host)
	n.waitSynced(n.create("a", nil))
	n.change("a", func(c *desired.Container) { c.Paused = true })
	if err := docker.ContainerRename(t.Context(), observed.RunName("a"), "other"); err != nil {
		t.Fatal(err)
	}
	first := since(n)
	n.stop()
	n = newNode(t, dir, host)
	if again := since(n); !again.Equal(first) || first.IsZero() {
		t.Errorf("since %s, after a restart since %s", first, again)
	}
}
