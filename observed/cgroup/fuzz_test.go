package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzCgroupFiles: whatever the files have, which a container may have a part in, what is read lies below
// the root and is no panic.
func FuzzCgroupFiles(f *testing.F) {
	f.Add(v1, "9:memory:/docker/abc\n", "67108864\n")
	f.Add(v2, "0::/system.slice/docker-abc.scope\n", "max\n")
	f.Add(v2, "0::/../../docker-abc/..\n", "-1")
	f.Add("", "::", "150000 100000\n")
	f.Add("1 1 0:1 / /\\040x - cgroup2 a rw", "0:", "9999999999999999999999 0")
	f.Fuzz(func(t *testing.T, mounts, groups, value string) {
		root := t.TempDir()
		for name, text := range map[string]string{
			"proc/self/mountinfo": mounts, "proc/7/cgroup": groups,
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes":   value,
			"sys/fs/cgroup/system.slice/docker-abc.scope/memory.max":  value,
			"sys/fs/cgroup/system.slice/docker-abc.scope/cpu.max":     value,
			"sys/fs/cgroup/system.slice/docker-abc.scope/pids.max":    value,
			"sys/fs/cgroup/system.slice/docker-abc.scope/pids.events": value,
			"sys/fs/cgroup/system.slice/docker-abc.scope/cpu.stat":    "usage_usec " + value,
			"sys/fs/cgroup/system.slice/docker-abc.scope/memory.stat": value,
			"sys/fs/cgroup/system.slice/docker-abc.scope/io.stat":     value,
			"proc/7/net/dev": value, "proc/meminfo": value,
		} {
			path := filepath.Join(root, name)
			if os.MkdirAll(filepath.Dir(path), 0o700) != nil || os.WriteFile(path, []byte(text), 0o600) != nil {
				t.Skip()
			}
		}
		_ = reader{root}.read(7, "abc")
		_, _ = reader{root}.usage().Sample(7, "abc")
	})
}
