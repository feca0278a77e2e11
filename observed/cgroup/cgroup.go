package cgroup

import (
	"bufio"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"

	"lightd/observed"
)

// Read returns the limits of the process of a container, nil where none can be read. The number is that
// of this machine.
func Read(pid int, containerID string) *observed.Enforced { return reader{"/"}.read(pid, containerID) }

// reader reads below a directory, which is / but in tests.
type reader struct{ root string }

func (r reader) read(pid int, containerID string) *observed.Enforced {
	if pid <= 0 || containerID == "" {
		return nil
	}
	groups, mounts := r.groups(pid, containerID), r.mounts()
	e := observed.Enforced{
		Memory: r.memory(groups, mounts), CPU: r.cpu(groups, mounts), PIDs: r.pids(groups, mounts),
		PIDsRefused: r.pidsRefused(groups, mounts),
	}
	if e == (observed.Enforced{}) {
		return nil
	}
	return &e
}

// unified is the name under which version 2 is kept beside the controllers of version 1.
const unified = ""

// groups returns the paths of a process's cgroups by their controllers, as far as they are the
// container's.
func (r reader) groups(pid int, containerID string) map[string]string {
	all := map[string]string{}
	r.lines(path.Join("proc", strconv.Itoa(pid), "cgroup"), func(line string) {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) < 3 {
			return
		}
		parts := strings.Split(fields[2], "/")
		// A process may have made cgroups of its own below the container's.
		at := slices.IndexFunc(parts, func(part string) bool { return strings.Contains(part, containerID) })
		if at < 0 {
			return
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			all[controller] = strings.Join(parts[:at+1], "/")
		}
	})
	return all
}

// mounts returns where the controllers are mounted.
func (r reader) mounts() map[string]*mountinfo.Info {
	all := map[string]*mountinfo.Info{}
	table, err := os.Open(filepath.Join(r.root, "proc/self/mountinfo"))
	if err != nil {
		return all
	}
	defer func() { _ = table.Close() }()
	mounts, _ := mountinfo.GetMountsFromReader(table, nil) // none where the table cannot be read
	for _, m := range mounts {
		switch m.FSType {
		case "cgroup2":
			all[unified] = m
		case "cgroup":
			for option := range strings.SplitSeq(m.VFSOptions, ",") {
				all[option] = m
			}
		}
	}
	return all
}

// lines calls fn with the lines of a file; with none where it cannot be read.
func (r reader) lines(name string, fn func(string)) {
	file, err := os.Open(filepath.Join(r.root, name))
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		fn(scanner.Text())
	}
}

// fields returns the words of a file in the cgroup of a controller of version 1 or, unless it is
// mounted, in that of version 2; nil where there is none.
func (r reader) fields(groups map[string]string, mounts map[string]*mountinfo.Info, controller, v1, v2 string) []string {
	name, file := controller, v1
	if _, mounted := mounts[controller]; !mounted {
		name, file = unified, v2
	}
	m, mounted := mounts[name]
	group, inGroup := groups[name]
	if !mounted || !inGroup {
		return nil
	}
	below, inside := strings.CutPrefix(group, strings.TrimSuffix(m.Root, "/"))
	if !inside {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(r.root, m.Mountpoint, below, file))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// noMemoryLimit is from where on version 1 means none: the most that its page counter can hold.
const noMemoryLimit = 1 << 62

func (r reader) memory(groups map[string]string, mounts map[string]*mountinfo.Info) *int64 {
	n := number(r.fields(groups, mounts, "memory", "memory.limit_in_bytes", "memory.max"))
	if n != nil && *n >= noMemoryLimit {
		*n = 0
	}
	return n
}

func (r reader) pids(groups map[string]string, mounts map[string]*mountinfo.Info) *int64 {
	return number(r.fields(groups, mounts, "pids", "pids.max", "pids.max"))
}

// pidsRefused reads how often a process or thread was refused for the limit.
func (r reader) pidsRefused(groups map[string]string, mounts map[string]*mountinfo.Info) int64 {
	words := r.fields(groups, mounts, "pids", "pids.events", "pids.events")
	at := slices.Index(words, "max")
	if at < 0 || at+1 == len(words) {
		return 0
	}
	n, _ := strconv.ParseInt(words[at+1], 10, 64)
	return n
}

func (r reader) cpu(groups map[string]string, mounts map[string]*mountinfo.Info) *float64 {
	words := r.fields(groups, mounts, "cpu", "cpu.cfs_quota_us", "cpu.max")
	if len(words) == 1 {
		words = append(words, r.fields(groups, mounts, "cpu", "cpu.cfs_period_us", "")...)
	}
	if len(words) != 2 {
		return nil
	}
	quota, period := number(words[:1]), number(words[1:])
	if quota == nil || period == nil || *period <= 0 {
		return nil
	}
	cores := max(0, float64(*quota)/float64(*period))
	return &cores
}

// number reads one number; 0 is what has no limit.
func number(words []string) *int64 {
	if len(words) != 1 {
		return nil
	}
	if words[0] == "max" {
		return new(int64)
	}
	n, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return nil
	}
	return &n
}
