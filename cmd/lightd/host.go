package main

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lightd/controller/plan"
	"lightd/httpapi/api"
	"lightd/observed/cgroup"
)

// describeHost returns the machine of the daemon. What cannot be read is left out: the engine's part is what is
// known from before then.
func (d *daemon) describeHost(ctx context.Context) api.Node {
	node := api.Node{Version: version, Instance: d.store.Instance(), Kernel: kernel(), LoadAverage: loadAverage()}
	node.Cores = api.Capacity{Total: float64(runtime.NumCPU())}
	total, available := cgroup.HostMemory()
	node.Memory = api.Capacity{Total: float64(total), Used: float64(total - available)}
	node.Disks = disk(nil, "the database, volumes, logs of installations", d.config.Load().DataDir)
	node.Engine.Version, node.Engine.APIVersion = d.engine.Version()
	found, err := d.engine.Isolation(ctx)
	if err != nil {
		return node
	}
	node.Engine = api.NodeEngine{Up: true, Version: found.Version, APIVersion: found.API, Cgroup: found.Cgroup, Storage: found.Storage}
	node.Disks = disk(node.Disks, "images and containers of the engine", found.Root)
	return node
}

// onlineCPUs returns the CPUs of this machine, as in "0-7"; empty for an engine elsewhere, and where they cannot be read.
func (c *config) onlineCPUs() string {
	if c.DockerHost != "" && !strings.HasPrefix(c.DockerHost, "unix://") {
		return ""
	}
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// engineDisk returns what inspects the disk of the engine's directory; nil for an engine elsewhere.
func (d *daemon) engineDisk(here bool) func() plan.Disk {
	if !here {
		return nil
	}
	return func() plan.Disk {
		places := d.closed.last.Load()
		if places == nil || len(*places) == 0 {
			return plan.Disk{}
		}
		root := (*places)[0]
		fs, err := statFileSystem(root)
		if err != nil {
			return plan.Disk{}
		}
		return plan.Disk{Path: root, Total: fs.Size, Free: fs.Free}
	}
}

// disk adds the file system of a path to a list, unless it is not there: the engine may be elsewhere.
func disk(list []api.Disk, purpose, path string) []api.Disk {
	fs, err := statFileSystem(path)
	if err != nil {
		return list
	}
	return append(list, api.Disk{Purpose: purpose, Path: path, Total: int64(fs.Size), Available: int64(fs.Free)})
}

func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	return string(bytes.TrimRight(name.Release[:], "\x00"))
}

// loadAverage is that of the last minute.
func loadAverage() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}
