package simengine

import "github.com/docker/docker/api/types/container"

// update changes limits in place, or returns why it cannot. A zero keeps the limit.
func update(limits, to *container.Resources) (conflict string) {
	switch {
	case to.NanoCPUs > 0 && limits.CPUPeriod > 0:
		return "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set"
	case to.CPUQuota > 0 && limits.NanoCPUs > 0:
		return "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set"
	case to.CPUPeriod > 0 && limits.NanoCPUs > 0:
		return "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set"
	case to.Memory != 0 && to.MemorySwap == 0 && limits.MemorySwap > 0 && to.Memory > limits.MemorySwap:
		return "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
	}
	set := func(limit *int64, to int64) {
		if to != 0 {
			*limit = to
		}
	}
	set(&limits.CPUShares, to.CPUShares)
	set(&limits.NanoCPUs, to.NanoCPUs)
	set(&limits.CPUPeriod, to.CPUPeriod)
	set(&limits.CPUQuota, to.CPUQuota)
	set(&limits.Memory, to.Memory)
	set(&limits.MemorySwap, to.MemorySwap)
	set(&limits.MemoryReservation, to.MemoryReservation)
	if to.BlkioWeight != 0 {
		limits.BlkioWeight = to.BlkioWeight
	}
	if to.CpusetCpus != "" {
		limits.CpusetCpus = to.CpusetCpus
	}
	if to.PidsLimit != nil {
		limit := *to.PidsLimit
		if limit <= 0 {
			limit = 0 // no limit
		}
		limits.PidsLimit = &limit
	}
	return ""
}

// WithoutLimits lets the engine discard limits of memory, of processes and of the disks, and what keeps the kernel from
// killing for memory, from now on, as one does whose kernel does not support them; false ends that.
func (s *Sim) WithoutLimits(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlimited = on
}

// discardLimitsLocked removes what the kernel does not support, and returns Docker's warnings about it. The
// caller holds the lock.
func (s *Sim) discardLimitsLocked(r *container.Resources) []string {
	warnings := []string{}
	if !s.unlimited {
		return warnings
	}
	if r.Memory > 0 {
		warnings = append(warnings, "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.")
		r.Memory, r.MemorySwap = 0, -1
	}
	if r.BlkioWeight > 0 {
		warnings = append(warnings, "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.")
		r.BlkioWeight = 0
	}
	if r.OomKillDisable != nil && *r.OomKillDisable {
		warnings = append(warnings, "Your kernel does not support OomKillDisable. OomKillDisable discarded.")
		r.OomKillDisable = nil
	}
	if r.PidsLimit != nil && *r.PidsLimit > 0 {
		warnings = append(warnings, "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.")
		r.PidsLimit = nil
	}
	return warnings
}
