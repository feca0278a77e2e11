package controller_test

import (
	"errors"
	"os"
	"path/filepath"
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
