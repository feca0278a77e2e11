package controller_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// limitFiles returns the file of the memory limit and that of the number of processes in the cgroup of
// a process, and skips the test where they are elsewhere than most systems have them.
func limitFiles(t *testing.T, pid int) (memory, pids string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch fields[1] {
		case "":
			if memory == "" {
				memory = filepath.Join("/sys/fs/cgroup", fields[2], "memory.max")
			}
			if pids == "" {
				pids = filepath.Join("/sys/fs/cgroup", fields[2], "pids.max")
			}
		case "memory":
			memory = filepath.Join("/sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes")
		case "pids":
			pids = filepath.Join("/sys/fs/cgroup/pids", fields[2], "pids.max")
		}
	}
	for _, name := range []string{memory, pids} {
		if _, err := os.Stat(name); err != nil {
			t.Skip(err)
		}
	}
	return memory, pids
}

// TestCgroupWrittenByHand: at the next inspect the limits are set back without a restart, and one that
// the spec does not have is reported until the process ends.
func TestCgroupWrittenByHand(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	n.create("cgroup", func(s *desired.Spec) {
		s.Power, s.Limits = desired.PowerRunning, desired.Limits{Memory: 64 << 20, CPU: 0.5, PIDs: 50}
	})
	running := func(st status.Status) bool { return st.State == status.StateRunning && synced(st) }
	n.wait("cgroup", "running", running)
	before := n.inspect("cgroup")
	if before.Enforced == nil {
		t.Skip("the limits of this engine's processes cannot be read from here")
	}
	pid, _, err := n.engine.Process(t.Context(), before.ContainerID)
	if err != nil {
		t.Fatal(err)
	}
	memory, pids := limitFiles(t, pid)
	if err := errors.Join(os.WriteFile(memory, []byte("33554432"), 0), os.WriteFile(pids, []byte("max"), 0)); err != nil {
		t.Fatal(err)
	}
	if now := n.inspect("cgroup").Enforced; *now.Memory != 32<<20 || *now.PIDs != 0 || *now.CPU != 0.5 {
		t.Fatalf("read %d %v %d", *now.Memory, *now.CPU, *now.PIDs)
	}
	enforced := func(want desired.Limits) func(status.Status) bool {
		return func(st status.Status) bool {
			now := n.inspect("cgroup")
			return synced(st) && now.Enforced != nil && *now.Enforced.Memory == want.Memory && *now.Enforced.PIDs == want.PIDs
		}
	}
	n.cache.Refresh("cgroup", false)
	n.wait("cgroup", "limited again", enforced(desired.Limits{Memory: 64 << 20, PIDs: 50}))
	if now := n.inspect("cgroup"); now.ContainerID != before.ContainerID || !now.StartedAt.Equal(before.StartedAt) {
		t.Errorf("it was started again: %+v", now)
	}
	if events := n.events("cgroup"); strings.Count(events, "DriftDetected") != 1 || strings.Count(events, "LimitsUpdated") != 1 || strings.Contains(events, "Blocked") {
		t.Errorf("events %s", events)
	}

	n.create("cgroup-next", func(s *desired.Spec) { s.Power, s.Limits = desired.PowerRunning, desired.Limits{PIDs: 50} })
	n.wait("cgroup-next", "running", running)
	if pid, _, err = n.engine.Process(t.Context(), n.inspect("cgroup-next").ContainerID); err != nil {
		t.Fatal(err)
	}
	memory, _ = limitFiles(t, pid)
	if err := os.WriteFile(memory, []byte("33554432"), 0); err != nil {
		t.Fatal(err)
	}
	n.cache.Refresh("cgroup-next", false)
	n.wait("cgroup-next", "reported", func(st status.Status) bool { return st.Get(status.Synced).Reason == status.ReasonLimitNotEnforced })
	if err := n.engine.Kill(t.Context(), observed.RunName("cgroup-next"), "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	n.wait("cgroup-next", "as specified in its next run", running)
}

// TestProcessLimitIsReachedOnARealEngine by a program on a real engine: the next inspect reports it.
func TestProcessLimitIsReachedOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	n.create("forks", func(s *desired.Spec) {
		s.Power, s.Limits.PIDs, s.StartPattern = desired.PowerRunning, 20, "^full$"
		s.StartupCommand = "(for i in $(seq 40); do sleep 1000 & done) 2>/dev/null; echo full; exec sleep 1000"
	})
	n.waitState("forks", status.StateRunning)
	if n.inspect("forks").Enforced == nil {
		t.Skip("the cgroups of this engine's processes cannot be read from here")
	}
	n.cache.Refresh("forks", false)
	n.wait("forks", "reported", func(status.Status) bool { return strings.Contains(n.events("forks"), "PIDsLimitReached") })
}

// TestMoreLimitsOnARealEngine: all of them are there from the creation on, change in the running container, and are taken
// away by a recreation. What this kernel lacks is a warning, and no reason for a step.
func TestMoreLimitsOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	n.create("more-limits", func(s *desired.Spec) {
		s.Power = desired.PowerRunning
		s.Limits = desired.Limits{Memory: 64 << 20, Swap: desired.UnlimitedSwap, PIDs: 50, CPUSet: "0", IOWeight: 300, MemoryReservation: 32 << 20, OOMDisable: true}
	})
	running := func(generation int64) func(status.Status) bool {
		return func(st status.Status) bool {
			return st.State == status.StateRunning && synced(st) && st.ObservedGeneration >= generation
		}
	}
	n.wait("more-limits", "running", running(1))
	first := n.inspect("more-limits")
	shows := func(when string, want desired.Limits) observed.Container {
		t.Helper()
		now := n.inspect("more-limits")
		have := now.Limits
		if have.IOWeight == 0 && want.IOWeight != 0 || have.OOMDisable != want.OOMDisable { // discarded, and told
			if !strings.Contains(strings.Join(n.messages("more-limits", "CreationWarning"), " "), "discarded") {
				t.Errorf("%s: it has %+v, and no warning", when, have)
			}
			have.IOWeight, have.OOMDisable = want.IOWeight, want.OOMDisable
		}
		if want.Swap >= 0 && have.Swap < 0 {
			have.Swap = want.Swap // where swap is not counted
		}
		if have != want {
			t.Errorf("%s: it has %+v, want %+v", when, have, want)
		}
		return now
	}
	want := desired.Limits{Memory: 64 << 20, Swap: desired.UnlimitedSwap, PIDs: 50, CPUSet: "0", IOWeight: 300, MemoryReservation: 32 << 20, OOMDisable: true}
	shows("created", want)
	want.Swap, want.CPUSet, want.IOWeight, want.MemoryReservation = 16<<20, fmt.Sprintf("0-%d", runtime.NumCPU()-1), 400, 48<<20
	c := n.change("more-limits", func(c *desired.Container) { c.Limits = want })
	n.wait("more-limits", "changed", running(c.Generation))
	if now := shows("changed", want); now.ContainerID != first.ContainerID || !now.StartedAt.Equal(first.StartedAt) {
		t.Errorf("it was started again: %+v", now)
	}
	if memory, ok := n.swapLimit(t, first.ContainerID); ok && memory != 80<<20 {
		t.Errorf("the kernel bounds memory and swap to %d", memory)
	}
	want = desired.Limits{Memory: 64 << 20, PIDs: 50}
	c = n.change("more-limits", func(c *desired.Container) { c.Limits = want })
	n.wait("more-limits", "without them", running(c.Generation))
	if now := shows("taken away", want); now.ContainerID == first.ContainerID {
		t.Error("it was not recreated")
	}
	c = n.change("more-limits", func(c *desired.Container) { c.Limits.IOWeight = 500 })
	n.wait("more-limits", "with a weight", running(c.Generation))
	c = n.change("more-limits", requestRestart)
	n.wait("more-limits", "restarted", running(c.Generation))
	updates := strings.Count(n.events("more-limits"), "LimitsUpdated")
	for range 3 {
		n.cache.Refresh("more-limits", false)
		c = n.change("more-limits", func(c *desired.Container) { c.Labels = map[string]string{"n": strconv.FormatInt(c.Generation, 10)} })
		n.wait("more-limits", "observed", running(c.Generation))
	}
	if now := strings.Count(n.events("more-limits"), "LimitsUpdated"); now != updates {
		t.Errorf("%d updates of what the kernel lacks, then %d", updates, now)
	}
}

// swapLimit reads what the kernel bounds memory and swap of a process to, in bytes; ok is false where that is elsewhere than
// most systems of version 1 have it.
func (n *node) swapLimit(t *testing.T, containerID string) (bytes int64, ok bool) {
	pid, _, err := n.engine.Process(t.Context(), containerID)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && fields[1] == "memory" {
			text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup/memory", fields[2], "memory.memsw.limit_in_bytes"))
			bytes, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			return bytes, errors.Join(err, bad) == nil
		}
	}
	return 0, false
}
