package cgroup

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"

	"lightd/observed"
)

// Usage reads what containers use. It finds the controllers once, so that many containers are read at
// the cost of a few files each.
type Usage struct {
	reader
	controllers map[string]*mountinfo.Info
	hostMemory  uint64
}

// OpenUsage returns a Usage of this machine.
func OpenUsage() *Usage { return reader{"/"}.usage() }

func (r reader) usage() *Usage {
	total, _ := r.hostMemory()
	return &Usage{reader: r, controllers: r.mounts(), hostMemory: total}
}

// HostMemory returns the memory of this machine in bytes, and what of it is available: unused, or what the
// kernel can take back at once. What cannot be read is 0.
func HostMemory() (total, available uint64) { return reader{"/"}.hostMemory() }

func (r reader) hostMemory() (total, available uint64) {
	r.lines("proc/meminfo", func(line string) {
		words := strings.Fields(line)
		if len(words) < 2 {
			return
		}
		switch words[0] {
		case "MemTotal:":
			total = parse(words[1]) << 10
		case "MemAvailable:":
			available = parse(words[1]) << 10
		}
	})
	return total, available
}

// Sample returns what the container of a process has used up to now. found is false where the process
// is not of that container, or its cgroup cannot be read. The figures are those of "docker stats".
func (u *Usage) Sample(pid int, containerID string) (s observed.Sample, found bool) {
	if pid <= 0 || containerID == "" {
		return s, false
	}
	groups := u.groups(pid, containerID)
	s.At = time.Now()
	cpu, found := u.cpuTime(groups)
	if !found {
		return observed.Sample{}, false
	}
	s.CPU = cpu
	s.MemoryUsage, s.MemoryLimit = u.memoryUse(groups)
	s.BlockRead, s.BlockWrite = u.blocks(groups)
	s.NetworkRx, s.NetworkTx = u.network(pid)
	return s, true
}

func (u *Usage) words(groups map[string]string, controller, v1, v2 string) []string {
	return u.fields(groups, u.controllers, controller, v1, v2)
}

func (u *Usage) cpuTime(groups map[string]string) (time.Duration, bool) {
	if words := u.words(groups, "cpuacct", "cpuacct.usage", ""); len(words) == 1 {
		return time.Duration(parse(words[0])), true
	}
	usec, found := keyed(u.words(groups, "cpuacct", "", "cpu.stat"), "usage_usec")
	return time.Duration(usec) * time.Microsecond, found
}

// memoryUse leaves out the inactive page cache, which version 1 counts as total_inactive_file.
func (u *Usage) memoryUse(groups map[string]string) (use, limit uint64) {
	if words := u.words(groups, "memory", "memory.usage_in_bytes", "memory.current"); len(words) == 1 {
		use = parse(words[0])
	}
	stat := u.words(groups, "memory", "memory.stat", "memory.stat")
	cache, found := keyed(stat, "total_inactive_file")
	if !found {
		cache, _ = keyed(stat, "inactive_file")
	}
	if cache < use {
		use -= cache
	}
	limit = u.hostMemory
	if n := u.memory(groups, u.controllers); n != nil && *n > 0 && (limit == 0 || uint64(*n) < limit) {
		limit = uint64(*n)
	}
	return use, limit
}

// blocks adds up the bytes of all devices: lines "8:0 Read 4096" of version 1, and
// "8:0 rbytes=4096 wbytes=0" of version 2.
func (u *Usage) blocks(groups map[string]string) (read, written uint64) {
	words := u.words(groups, "blkio", "blkio.throttle.io_service_bytes_recursive", "")
	for i := 0; i+2 < len(words); i++ {
		switch words[i+1] {
		case "Read":
			read += parse(words[i+2])
		case "Write":
			written += parse(words[i+2])
		}
	}
	for _, word := range u.words(groups, "blkio", "", "io.stat") {
		if n, found := strings.CutPrefix(word, "rbytes="); found {
			read += parse(n)
		}
		if n, found := strings.CutPrefix(word, "wbytes="); found {
			written += parse(n)
		}
	}
	return read, written
}

// network adds up the bytes of the interfaces in the network namespace of a process, but for loopback.
func (u *Usage) network(pid int) (received, sent uint64) {
	u.lines(path.Join("proc", strconv.Itoa(pid), "net/dev"), func(line string) {
		name, rest, found := strings.Cut(line, ":")
		words := strings.Fields(rest)
		if !found || strings.TrimSpace(name) == "lo" || len(words) < 9 {
			return
		}
		received += parse(words[0])
		sent += parse(words[8])
	})
	return received, sent
}

// keyed returns the number behind a key, of words that are keys and numbers in turn.
func keyed(words []string, key string) (uint64, bool) {
	at := slices.Index(words, key)
	if at < 0 || at+1 == len(words) {
		return 0, false
	}
	return parse(words[at+1]), true
}

// parse returns a number, 0 where the text is none.
func parse(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
