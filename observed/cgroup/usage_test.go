package cgroup

import (
	"maps"
	"os"
	"testing"
	"time"

	"lightd/observed"
)

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 999      9    0    0    0     0          0         0 999      9    0    0    0     0       0          0
  eth0: 1000     9    0    0    0     0          0         0 2000     9    0    0    0     0       0          0
  eth1:    1     9    0    0    0     0          0         0    2     9    0    0    0     0       0          0
`

// TestSample has the files as the kernel shows them.
func TestSample(t *testing.T) {
	want := observed.Sample{CPU: 1500 * time.Millisecond, Stats: observed.Stats{
		MemoryUsage: 60 << 20, MemoryLimit: 128 << 20, NetworkRx: 1001, NetworkTx: 2002, BlockRead: 4096 + 512, BlockWrite: 8192,
	}}
	common := map[string]string{"proc/7/net/dev": netDev, "proc/meminfo": "MemFree: 1 kB\nMemTotal:    1048576 kB\n"}
	with := func(files map[string]string) map[string]string {
		maps.Copy(files, common)
		return files
	}
	in1, in2 := "9:memory:/docker/abc\n8:blkio:/docker/abc\n3:cpu,cpuacct:/docker/abc\n", "sys/fs/cgroup/system.slice/docker-abc.scope/"
	unlimited := want
	unlimited.MemoryLimit = 1 << 30
	tests := map[string]struct {
		files map[string]string
		want  observed.Sample
		found bool
	}{
		"version 1": {with(map[string]string{
			"proc/self/mountinfo": v1 + "41 30 0:38 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n", "proc/7/cgroup": in1,
			"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpuacct.usage":                       "1500000000\n",
			"sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes":                    "83886080\n",
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes":                    "134217728\n",
			"sys/fs/cgroup/memory/docker/abc/memory.stat":                              "cache 1\ninactive_file 5\ntotal_inactive_file 20971520\n",
			"sys/fs/cgroup/blkio/docker/abc/blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 1\n8:0 Total 12288\n8:16 Read 512\n8:16 Write 0\nTotal 12800\n",
		}), want, true},
		"version 2": {with(map[string]string{
			"proc/self/mountinfo": v2, "proc/7/cgroup": "0::/system.slice/docker-abc.scope\n",
			in2 + "cpu.stat":       "usage_usec 1500000\nuser_usec 1\n",
			in2 + "memory.current": "83886080\n", in2 + "memory.max": "134217728\n", in2 + "memory.stat": "anon 1\ninactive_file 20971520\n",
			in2 + "io.stat": "8:0 rbytes=4096 wbytes=8192 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=512 wbytes=0\n",
		}), want, true},
		"no limit": {with(map[string]string{
			"proc/self/mountinfo": v2, "proc/7/cgroup": "0::/system.slice/docker-abc.scope\n",
			in2 + "cpu.stat":       "usage_usec 1500000\n",
			in2 + "memory.current": "83886080\n", in2 + "memory.max": "max\n", in2 + "memory.stat": "inactive_file 20971520\n",
			in2 + "io.stat": "8:0 rbytes=4608 wbytes=8192\n",
		}), unlimited, true},
		"another process of that number": {with(map[string]string{
			"proc/self/mountinfo": v2, "proc/7/cgroup": "0::/user.slice\n", "sys/fs/cgroup/user.slice/cpu.stat": "usage_usec 1500000\n",
		}), observed.Sample{}, false},
		"no such process": {with(map[string]string{"proc/self/mountinfo": v2}), observed.Sample{}, false},
		"not what the kernel writes": {with(map[string]string{
			"proc/self/mountinfo": v2, "proc/7/cgroup": "0::/system.slice/docker-abc.scope\n", in2 + "cpu.stat": "usage_usec\n",
		}), observed.Sample{}, false},
	}
	for name, test := range tests {
		got, found := tree(t, test.files).usage().Sample(7, "abc")
		if got.At.IsZero() == found {
			t.Errorf("%s: the time is %s", name, got.At)
		}
		if got.At = (time.Time{}); got != test.want || found != test.found {
			t.Errorf("%s: %+v, %t, wanted %+v", name, got, found, test.want)
		}
	}
	if _, found := OpenUsage().Sample(os.Getpid(), "abc"); found {
		t.Error("this process is in a container")
	}
}
