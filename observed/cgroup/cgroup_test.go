package cgroup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// tree writes files below a directory of the test's own.
func tree(t *testing.T, files map[string]string) reader {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return reader{root}
}

const (
	v1 = `30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
38 30 0:35 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`
	v2 = "24 22 0:22 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
)

// TestRead has the files as the kernel shows them.
func TestRead(t *testing.T) {
	const inV1 = "9:memory:/docker/abc\n8:pids:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/docker/abc\n"
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"version 1": {map[string]string{
			"proc/self/mountinfo": v1, "proc/7/cgroup": inV1,
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes":       "67108864\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us":       "50000\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us":      "100000\n",
			"sys/fs/cgroup/pids/docker/abc/pids.max":                      "50\n",
			"sys/fs/cgroup/pids/docker/abc/pids.events":                   "max 3\n",
			"sys/fs/cgroup/unified/docker/abc/memory.max":                 "1\n",
			"sys/fs/cgroup/memory/docker/abc/child/memory.limit_in_bytes": "1\n",
		}, `{"memory":67108864,"cpu":0.5,"pids":50,"pids_refused":3}`},
		"version 1 without limits": {map[string]string{
			"proc/self/mountinfo": v1, "proc/7/cgroup": inV1,
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes":  "9223372036854771712\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us":  "-1\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/pids/docker/abc/pids.max":                 "max\n",
		}, `{"memory":0,"cpu":0,"pids":0}`},
		"a controller that the kernel lacks": {map[string]string{
			"proc/self/mountinfo": v1, "proc/7/cgroup": inV1,
			"sys/fs/cgroup/pids/docker/abc/pids.max": "50\n",
		}, `{"pids":50}`},
		"version 2": {map[string]string{
			"proc/self/mountinfo": v2, "proc/7/cgroup": "0::/system.slice/docker-abc.scope\n",
			"sys/fs/cgroup/system.slice/docker-abc.scope/memory.max":  "67108864\n",
			"sys/fs/cgroup/system.slice/docker-abc.scope/cpu.max":     "150000 100000\n",
			"sys/fs/cgroup/system.slice/docker-abc.scope/pids.max":    "50\n",
			"sys/fs/cgroup/system.slice/docker-abc.scope/pids.events": "max 0\n",
		}, `{"memory":67108864,"cpu":1.5,"pids":50}`},
		"version 2 without limits, and a cgroup of the program's own": {map[string]string{
			"proc/self/mountinfo": v2, "proc/7/cgroup": "0::/system.slice/docker-abc.scope/init.scope\n",
			"sys/fs/cgroup/system.slice/docker-abc.scope/memory.max":            "max\n",
			"sys/fs/cgroup/system.slice/docker-abc.scope/cpu.max":               "max 100000\n",
			"sys/fs/cgroup/system.slice/docker-abc.scope/pids.max":              "max\n",
			"sys/fs/cgroup/system.slice/docker-abc.scope/init.scope/memory.max": "1\n",
		}, `{"memory":0,"cpu":0,"pids":0}`},
		"a part of the hierarchy is mounted": {map[string]string{
			"proc/self/mountinfo":                                   "34 30 0:31 /outer /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n38 30 0:35 /other /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
			"proc/7/cgroup":                                         "9:memory:/outer/docker/abc\n8:pids:/outer/docker/abc\n",
			"sys/fs/cgroup/pids/docker/abc/pids.max":                "50\n",
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "67108864\n",
		}, `{"memory":67108864}`},
		"another process of that number": {map[string]string{
			"proc/self/mountinfo": v2, "proc/7/cgroup": "0::/user.slice\n",
			"sys/fs/cgroup/user.slice/memory.max": "67108864\n",
		}, `null`},
		"no such process": {map[string]string{"proc/self/mountinfo": v2}, `null`},
		"not what the kernel writes": {map[string]string{
			"proc/self/mountinfo": v2 + "x\n", "proc/7/cgroup": "x\n0::/docker/abc\n",
			"sys/fs/cgroup/docker/abc/memory.max": "much\n", "sys/fs/cgroup/docker/abc/cpu.max": "5 0\n", "sys/fs/cgroup/docker/abc/pids.max": "",
		}, `null`},
	} {
		got, err := json.Marshal(tree(t, tc.files).read(7, "abc"))
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: %s %v, want %s", name, got, err, tc.want)
		}
	}
	if got := Read(os.Getpid(), "abc"); got != nil {
		t.Errorf("this process is in a container: %v", got)
	}
}
