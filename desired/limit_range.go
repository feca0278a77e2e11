package desired

import "fmt"

// LimitRange is what an operator allows each container, and the node in all. The zero value of a field
// is no bound, but for those that every spec has.
type LimitRange struct {
	// DefaultMemory and DefaultCPU are those of a spec that names none; where they are 0, MaxMemory and
	// MaxCPU are.
	DefaultMemory, MaxMemory int64
	DefaultCPU, MaxCPU       float64
	// MaxPIDs is the default too where it is lower than DefaultPIDs.
	MaxPIDs int64
	// MaxPorts is for one container.
	MaxPorts int
	// MaxContainers and MaxVolumes are for the node.
	MaxContainers, MaxVolumes int
}

// WithDefaults returns l with what the operator sets for a spec that leaves it out.
func (r LimitRange) WithDefaults(l Limits) Limits {
	if l.Memory == 0 {
		if l.Memory = r.DefaultMemory; l.Memory == 0 {
			l.Memory = r.MaxMemory
		}
	}
	if l.CPU == 0 {
		if l.CPU = r.DefaultCPU; l.CPU == 0 {
			l.CPU = r.MaxCPU
		}
	}
	if r.MaxPIDs > 0 && l.PIDs == DefaultPIDs {
		l.PIDs = min(l.PIDs, r.MaxPIDs)
	}
	return l
}

// Following returns l, which takes the place of old, with defaults for what it changes: what has had no
// limit, and is not given one, goes on without.
func (r LimitRange) Following(l, old Limits) Limits {
	full := r.WithDefaults(l)
	if l.Memory == old.Memory {
		full.Memory = old.Memory
	}
	if l.CPU == old.CPU {
		full.CPU = old.CPU
	}
	if l.PIDs == old.PIDs {
		full.PIDs = old.PIDs
	}
	return full
}

// checkRange refuses what is beyond the operator's bounds, with the figure, unless old has as much: a bound
// that is lowered is for what is raised from then on.
func (f *faults) checkRange(s, old Spec, r LimitRange) {
	if l := s.Limits; r.MaxMemory > 0 && l.Memory > max(r.MaxMemory, old.Limits.Memory) {
		f.add("limits.memory", fmt.Sprintf("must be at most %s, the operator's containers.max_memory, and is %s", FormatSize(r.MaxMemory), FormatSize(l.Memory)))
	}
	switch swap := s.Limits.Swap; {
	case r.MaxMemory == 0 || swap == old.Limits.Swap:
	case swap < 0:
		f.add("limits.swap", fmt.Sprintf("must be at most %s, the operator's containers.max_memory, and is not limited", FormatSize(r.MaxMemory)))
	case swap > max(r.MaxMemory, old.Limits.Swap) && old.Limits.Swap >= 0:
		f.add("limits.swap", fmt.Sprintf("must be at most %s, the operator's containers.max_memory, and is %s", FormatSize(r.MaxMemory), FormatSize(swap)))
	}
	if r.MaxCPU > 0 && s.Limits.CPU > max(r.MaxCPU, old.Limits.CPU) {
		f.add("limits.cpu", fmt.Sprintf("must be at most %v, the operator's containers.max_cpu, and is %v", r.MaxCPU, s.Limits.CPU))
	}
	if r.MaxPIDs > 0 && s.Limits.PIDs > max(r.MaxPIDs, old.Limits.PIDs) {
		f.add("limits.pids", fmt.Sprintf("must be at most %d, the operator's containers.max_pids, and is %d", r.MaxPIDs, s.Limits.PIDs))
	}
	if r.MaxPorts > 0 && len(s.Ports) > max(r.MaxPorts, len(old.Ports)) {
		f.add("ports", fmt.Sprintf("must be at most %d, the operator's containers.max_ports, and are %d", r.MaxPorts, len(s.Ports)))
	}
}

// CheckQuota returns ErrQuotaExceeded with the figures where a write would make n of something out of
// before, and the quota of a token allows fewer; nil is no bound. What is there already can be changed, and
// become less.
func CheckQuota(most *int, what string, before, n int) error {
	if most == nil || n <= *most || n <= before {
		return nil
	}
	return fmt.Errorf("%w: the token's quota of %s is %d, and there are %d", ErrQuotaExceeded, what, *most, before)
}
