package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker/docker/client"
)

// machine is what figures depend on beside the program.
type machine struct {
	Cores      int    `json:"cores"`
	CPU        string `json:"cpu"`
	Kernel     string `json:"kernel"`
	Engine     string `json:"engine"`
	API        string `json:"api"`
	Storage    string `json:"storage"`
	Cgroup     string `json:"cgroup"`
	FileSystem string `json:"file_system"` // of the data directory
	Go         string `json:"go"`
	LoadBefore string `json:"load_before"`
	LoadAfter  string `json:"load_after"`
	Commit     string `json:"commit"`
	Dirty      bool   `json:"dirty"` // the work tree differs from the commit
}

func describe(ctx context.Context, docker *client.Client, dir string) (machine, error) {
	info, err := docker.Info(ctx)
	if err != nil {
		return machine{}, fmt.Errorf("get information about the engine: %w", err)
	}
	m := machine{
		Cores: runtime.NumCPU(), CPU: cpuModel(), Kernel: info.KernelVersion, Engine: info.ServerVersion, API: docker.ClientVersion(),
		Storage: info.Driver, Cgroup: "v" + info.CgroupVersion, FileSystem: fileSystem(dir), Go: runtime.Version(), LoadBefore: load(), Commit: "unknown",
	}
	if out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	if out, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output(); err == nil {
		m.Dirty = len(out) > 0
	}
	return m, nil
}

func (m machine) text() string {
	dirty := ""
	if m.Dirty {
		dirty = " with changes"
	}
	return fmt.Sprintf("%d cores (%s), kernel %s, data on %s,\nengine %s (API %s), storage %s, cgroup %s, %s, commit %s%s",
		m.Cores, m.CPU, m.Kernel, m.FileSystem, m.Engine, m.API, m.Storage, m.Cgroup, m.Go, m.Commit, dirty)
}

// load is how busy the machine was in the last minute: on a busy one only ratios count.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(data), " ")
	return first
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// fileSystem is the type of the innermost mount that holds dir.
func fileSystem(dir string) string {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "unknown"
	}
	if path, err := filepath.EvalSymlinks(dir); err == nil {
		dir = path
	}
	kind, longest := "unknown", 0
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		point := fields[1]
		inside := dir == point || strings.HasPrefix(dir, strings.TrimSuffix(point, "/")+"/")
		if inside && len(point) >= longest {
			kind, longest = fields[2], len(point)
		}
	}
	return kind
}
