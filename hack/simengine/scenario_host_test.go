package simengine_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/go-connections/nat"
)

// published publishes port 80 on a port of the host.
func published(ip, port string) container.HostConfig {
	return container.HostConfig{PortBindings: nat.PortMap{"80/tcp": {{HostIP: ip, HostPort: port}}}}
}

func ports(st *stage) {
	config := sleeping()
	config.ExposedPorts = nat.PortSet{"80/tcp": {}}
	st.create("a", config, published("127.0.0.1", "19311"))
	st.create("b", config, published("0.0.0.0", "19311"))
	st.create("c", config, published("127.0.0.2", "19311"))
	st.start("a")
	st.inspect("a")
	st.list(false)
	st.start("b")
	st.inspect("b")
	st.start("c")
	st.remove("a", true)
	st.remove("c", true)
	st.start("b")
	st.inspect("b")
	st.kill("b", "SIGKILL")
	st.awaitEvent("die", 3)
	st.inspect("b")
}

func networks(st *stage) {
	host := plainHost()
	host.NetworkMode = "lightd-no-such-network"
	st.create("a", sleeping(), host)
	st.start("a")
	st.inspect("a")
}

// madeAgain removes the network of a container and makes another one of its name: a container that
// ran on the first one does not start before it is connected to the second one.
func madeAgain(st *stage) {
	net := st.name("net")
	create := func() {
		_, err := st.NetworkCreate(st.ctx, net, network.CreateOptions{
			Labels: map[string]string{"lightd.network": "true"}, Options: map[string]string{"com.docker.network.bridge.enable_icc": "false"},
		})
		st.must(err)
		made, err := st.NetworkInspect(st.ctx, net, network.InspectOptions{})
		st.must(err)
		st.note("network %s %v %v", made.Driver, made.Options, made.Labels)
	}
	remove := func() { _ = st.NetworkRemove(context.WithoutCancel(st.ctx), net) }
	defer remove()
	host := container.HostConfig{NetworkMode: container.NetworkMode(net)}
	st.create("a", sleeping(), host)
	create()
	remove()
	create()
	st.outcome("start what never ran", st.ContainerStart(st.ctx, st.name("a"), container.StartOptions{}))
	st.outcome("remove a network that is in use", st.NetworkRemove(st.ctx, net))
	st.kill("a", "SIGKILL")
	st.awaitEvent("die", 1)
	remove()
	create()
	err := st.ContainerStart(st.ctx, st.name("a"), container.StartOptions{})
	st.note("start what ran: refused %t", err != nil)
	st.outcome("disconnect", st.NetworkDisconnect(st.ctx, net, st.name("a"), true))
	st.outcome("connect", st.NetworkConnect(st.ctx, net, st.name("a"), nil))
	st.start("a")
	st.kill("a", "SIGKILL")
	st.awaitEvent("die", 2)
	st.remove("a", true)
}

// joined connects a container to a second network and takes it off both, before its
// start, while it runs and after.
func joined(st *stage) {
	net := st.name("net")
	made, err := st.NetworkCreate(st.ctx, net, network.CreateOptions{})
	st.must(err)
	defer func() { _ = st.NetworkRemove(context.WithoutCancel(st.ctx), made.ID) }()
	connect := func(name string) { st.outcome("connect", st.NetworkConnect(st.ctx, name, st.name("a"), nil)) }
	disconnect := func(name string) {
		st.outcome("disconnect", st.NetworkDisconnect(st.ctx, name, st.name("a"), false))
	}
	look := func() {
		c, err := st.ContainerInspect(st.ctx, st.name("a"))
		st.must(err)
		for _, name := range slices.Sorted(maps.Keys(c.NetworkSettings.Networks)) {
			st.note("on %s, endpoint %t", name, c.NetworkSettings.Networks[name].EndpointID != "")
		}
	}
	st.create("a", sleeping(), container.HostConfig{})
	connect(net)
	look()
	disconnect(net)
	disconnect("bridge")
	disconnect("bridge")
	look()
	st.start("a")
	look()
	connect(net)
	connect(net)
	look()
	disconnect(net)
	disconnect(net)
	connect("bridge")
	look()
	st.kill("a", "SIGKILL")
	st.awaitEvent("die", 1)
	disconnect("bridge")
	look()
	st.create("alone", sleeping(), plainHost())
	st.outcome("connect", st.NetworkConnect(st.ctx, net, st.name("alone"), nil))
	st.remove("a", true)
	st.outcome("connect what is gone", st.NetworkConnect(st.ctx, net, st.name("a"), nil))
}

func mounts(st *stage) {
	dir, err := os.MkdirTemp("", "contract")
	st.must(err)
	defer func() { _ = os.RemoveAll(dir) }()
	host := plainHost()
	host.Mounts = []mount.Mount{
		{Type: mount.TypeBind, Source: dir, Target: "/home/container", ReadOnly: true},
	}
	config := sleeping()
	st.create("a", config, host)
	c, err := st.ContainerInspect(st.ctx, st.name("a"))
	st.must(err)
	for _, m := range c.Mounts {
		st.note("%s %t %s %t mode=%q %s", m.Type, m.Source == dir, m.Destination, m.RW, m.Mode, m.Propagation)
	}
	host = plainHost()
	host.Binds = []string{dir + ":/data:ro", dir + ":/other"}
	st.create("b", config, host)
	if c, err = st.ContainerInspect(st.ctx, st.name("b")); err != nil {
		st.must(err)
	}
	for _, m := range c.Mounts {
		if m.Destination == "/data" {
			st.note("%s %t %s %t mode=%q %s", m.Type, m.Source == dir, m.Destination, m.RW, m.Mode, m.Propagation)
		}
	}
	st.note("%s", strings.ReplaceAll(fmt.Sprint(c.HostConfig.Binds), dir, "DIR"))
}

// volumes are made with the first container that names them, taken as they are by the next, and
// outlive both.
func volumes(st *stage) {
	dir, err := os.MkdirTemp("", "contract")
	st.must(err)
	defer func() { _ = os.RemoveAll(dir) }()
	name := "contract-" + strings.ToLower(st.run)
	host := plainHost()
	host.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: name, Target: "/var/data", VolumeOptions: &mount.VolumeOptions{
		Labels:       map[string]string{contractLabel: st.run},
		DriverConfig: &mount.Driver{Name: "local", Options: map[string]string{"type": "none", "o": "bind", "device": dir}},
	}}}
	labelled := func() {
		found, err := st.VolumeList(st.ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", contractLabel+"="+st.run))})
		st.must(err)
		for _, v := range found.Volumes {
			st.note("volume %t %s %t %v", v.Name == name, v.Driver, v.Options["device"] == dir, len(v.Labels))
		}
	}
	labelled()
	st.create("a", sleeping(), host)
	host.Mounts[0].VolumeOptions = nil
	st.create("b", sleeping(), host)
	c, err := st.ContainerInspect(st.ctx, st.name("b"))
	st.must(err)
	for _, m := range c.Mounts {
		st.note("%s %t %s %t mode=%q %q %s", m.Type, m.Name == name, m.Destination, m.RW, m.Mode, m.Propagation, m.Driver)
	}
	labelled()
	for _, name := range []string{name, name + "-absent"} {
		v, err := st.VolumeInspect(st.ctx, name)
		st.note("inspected %t %s %v, absent: %v", v.Name == name, v.Driver, len(v.Labels), cerrdefs.IsNotFound(err))
	}
	st.note("in use: %v", cerrdefs.IsConflict(st.VolumeRemove(st.ctx, name, false)))
	st.remove("a", true)
	st.remove("b", true)
	labelled()
	st.outcome("remove volume", st.VolumeRemove(st.ctx, name, false))
	st.note("gone: %v", cerrdefs.IsNotFound(st.VolumeRemove(st.ctx, name, false)))
	labelled()
}
