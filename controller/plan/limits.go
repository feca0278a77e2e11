package plan

import (
	"fmt"
	"slices"
	"time"

	"lightd/desired"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// Limits of a container are updated so often in a row; where that has no effect, ever less. An engine
// that was unreachable meanwhile may be another one, or run on another kernel: the count starts over.
const (
	maxLimitUpdates  = 2
	firstLimitUpdate = time.Minute
	lastLimitUpdate  = time.Hour
)

// Tolerances of limits that are read back: the kernel counts memory in pages, and systemd rounds
// CPU up to a hundredth of a core.
const (
	memoryTolerance = 64 << 10
	cpuTolerance    = 0.0101
)

// limitPaths are the fields that an update of limits changes.
var limitPaths = []string{drift.Memory, drift.Swap, drift.CPU, drift.PIDs, drift.CPUSet, drift.IOWeight, drift.Reservation}

// unenforced returns where the kernel holds the process to another limit than the spec has though
// Docker shows the right one. An unreadable limit counts as no difference.
func (r *planner) unenforced(shown []Field) []Field {
	run := r.in.Seen.Run
	if !run.Running() || run.Enforced == nil {
		return nil
	}
	var list []Field
	want, have := r.in.Spec.Limits, run.Enforced
	add := func(path string, want, have any) {
		if !slices.ContainsFunc(shown, func(f Field) bool { return f.Path == path }) {
			list = append(list, Field{Path: path, Desired: want, Observed: have, Kind: drift.Spec})
		}
	}
	if m := have.Memory; m != nil && (*m == 0) != (want.Memory == 0) || m != nil && abs(*m-want.Memory) >= memoryTolerance {
		add(drift.Memory, want.Memory, *m)
	}
	if c := have.CPU; c != nil && (*c == 0) != (want.CPU == 0) || c != nil && max(*c-want.CPU, want.CPU-*c) > cpuTolerance {
		add(drift.CPU, want.CPU, *c)
	}
	if n := have.PIDs; n != nil && *n != want.PIDs {
		add(drift.PIDs, want.PIDs, *n)
	}
	for i := range list {
		if canUpdate(list[i].Path, want) {
			list[i].Step = UpdateLimits
		}
	}
	return list
}

func abs(n int64) int64 { return max(n, -n) }

// canUpdate reports whether Docker can change a limit in place: it can remove none but that of processes, and whether
// the kernel kills for memory is fixed when a container is created.
func canUpdate(path string, want desired.Limits) bool {
	switch path {
	case drift.Memory:
		return want.Memory != 0
	case drift.CPU:
		return want.CPU != 0
	case drift.CPUSet:
		return want.CPUSet != ""
	case drift.IOWeight:
		return want.IOWeight != 0
	case drift.Reservation:
		return want.MemoryReservation != 0
	}
	return path != drift.OOMDisable
}

// observeLimits records that the engine discards limits, which it does, with a warning, where its kernel does not
// support them: it shows none of what it was asked for at the creation, or by updates since. Nothing more is done for
// these, until the spec asks for others or the engine was away.
func (r *planner) observeLimits() {
	run, st, want := r.in.Seen.Run, &r.st, r.in.Spec.Limits
	if run == nil {
		st.DiscardedLimits, st.UnlimitedSwap = nil, ""
		return
	}
	switch unlimited := run.Limits.Swap == desired.UnlimitedSwap; {
	case unlimited && want.Swap == desired.UnlimitedSwap:
		st.UnlimitedSwap = run.ContainerID
	case !unlimited || st.UnlimitedSwap != run.ContainerID:
		st.UnlimitedSwap = ""
	}
	d := st.DiscardedLimits
	if d != nil && d.ContainerID == run.ContainerID && d.Limits == want && !r.in.Seen.EngineLost.After(d.At) || r.in.Underway {
		return
	}
	st.DiscardedLimits = nil
	updated := st.LimitUpdates != nil && st.LimitUpdates.Count >= maxLimitUpdates && r.sameUpdates(st.LimitUpdates)
	if (run.Generation == r.in.Spec.Generation || updated) && slices.ContainsFunc(discardable, r.lacks) {
		st.DiscardedLimits = &status.DiscardedLimits{ContainerID: run.ContainerID, Limits: want, At: r.in.Now}
	}
}

// discardable are the limits that a process does without where the kernel does not support them.
var discardable = []string{drift.Swap, drift.CPUSet, drift.IOWeight, drift.Reservation, drift.OOMDisable}

// lacks reports whether the container has no limit of a kind that the spec has.
func (r *planner) lacks(path string) bool {
	want, run := r.in.Spec.Limits, r.in.Seen.Run
	switch have := run.Limits; path {
	case drift.Swap:
		return r.boundsSwapAgain()
	case drift.CPUSet:
		return want.CPUSet != "" && have.CPUSet == ""
	case drift.IOWeight:
		return want.IOWeight != 0 && have.IOWeight == 0
	case drift.Reservation:
		return want.MemoryReservation != 0 && have.MemoryReservation == 0
	case drift.OOMDisable:
		return want.OOMDisable && !have.OOMDisable
	}
	return false
}

// boundsSwapAgain reports whether swap that the spec left without limit is to be bounded.
func (r *planner) boundsSwapAgain() bool {
	want, run := r.in.Spec.Limits, r.in.Seen.Run
	return want.Memory != 0 && want.Swap >= 0 && run.Limits.Swap < 0 && r.st.UnlimitedSwap == run.ContainerID
}

// discarded reports whether the engine discards a limit of the spec.
func (r *planner) discarded(path string) bool { return r.st.DiscardedLimits != nil && r.lacks(path) }

// untilUpdate is how long the next update of the limits waits, after too many without an effect.
func (r *planner) untilUpdate() time.Duration {
	u := r.st.LimitUpdates
	if u == nil || u.Count < maxLimitUpdates || !r.sameUpdates(u) {
		return 0
	}
	pause := min(firstLimitUpdate<<min(u.Count-maxLimitUpdates, 10), lastLimitUpdate)
	return max(0, u.At.Add(pause).Sub(r.in.Now))
}

// updateLimits is the step that does so. One that repeats what had no effect keeps that reported.
func (r *planner) updateLimits(differ []Field) next {
	n := step(UpdateLimits, reasonOf(differ)).on(r.in.Seen.Run)
	if u := r.st.LimitUpdates; u != nil && u.Count >= maxLimitUpdates && r.sameUpdates(u) {
		n.wait, n.message = status.ReasonLimitNotEnforced, r.notEnforced(r.limitsDiffering())
	}
	return n
}

// sameUpdates reports whether the next update is one more of u.
func (r *planner) sameUpdates(u *status.LimitUpdates) bool {
	return u.ContainerID == r.in.Seen.Run.ContainerID && u.Generation == r.in.Spec.Generation && !r.in.Seen.EngineLost.After(u.At)
}

// countUpdate records an update before it is made.
func (r *planner) countUpdate() {
	count := 1
	if u := r.st.LimitUpdates; u != nil && r.sameUpdates(u) {
		count += u.Count
	}
	r.st.LimitUpdates = &status.LimitUpdates{ContainerID: r.in.Seen.Run.ContainerID, Generation: r.in.Spec.Generation, Count: count, At: r.in.Now}
}

// limitsDiffering returns the limits that differ from the spec and that no recreation is for.
func (r *planner) limitsDiffering() []Field {
	var list []Field
	for _, f := range r.fields() {
		if slices.Contains(limitPaths, f.Path) && f.Kind == drift.Spec && f.Step != CreateContainer {
			list = append(list, f)
		}
	}
	return list
}

// nextEnforced waits where a container is not held to its limits, and no update of them has an
// effect. The process runs meanwhile: another container would be held to them no better.
func (r *planner) nextEnforced() next {
	differ := r.limitsDiffering()
	if len(differ) == 0 {
		return next{upToDate: true}
	}
	return next{wait: status.ReasonLimitNotEnforced, upToDate: true, after: r.untilUpdate(), message: r.notEnforced(differ)}
}

// notEnforced describes which limits the kernel does not enforce, and what can be done about it.
func (r *planner) notEnforced(differ []Field) string {
	f := differ[0]
	message := fmt.Sprintf("%s is %v and must be %v", f.Path, limitText(f.Path, f.Observed), limitText(f.Path, f.Desired))
	if more := len(differ) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more)", more)
	}
	if !canUpdate(f.Path, r.in.Spec.Limits) {
		return message + ": somebody limited the cgroup by hand, which ends with the process"
	}
	return message + `, and Docker's update of it has no effect: check the warnings of "docker info" for what the kernel does not support`
}

// limitText is a limit as a message shows it.
func limitText(path string, limit any) any {
	none := limit == int64(0) || limit == float64(0)
	switch {
	case none && (path == drift.Reservation || path == drift.IOWeight):
		return "none"
	case none && path != drift.Swap, path == drift.Swap && limit == int64(desired.UnlimitedSwap):
		return "unlimited"
	case limit == "":
		return "all"
	}
	if bytes, ok := limit.(int64); ok && slices.Contains([]string{drift.Memory, drift.Swap, drift.Reservation}, path) {
		return desired.FormatSize(bytes)
	}
	return limit
}

// forgetReported drops what was reported of a process that ran otherwise than specified, once one
// runs as specified.
func (r *planner) forgetReported() {
	if r.st.LimitUpdates != nil && r.in.Seen.Run != nil && len(r.limitsDiffering()) == 0 {
		r.st.LimitUpdates = nil
	}
	if !r.in.Seen.Run.Running() || r.st.Stopping != nil || r.in.EffectivePower() != desired.PowerRunning {
		return
	}
	if len(r.unpublished()) == 0 {
		delete(r.st.Reported, status.ReasonPortNotPublished)
	}
	if len(r.limitsDiffering()) == 0 {
		delete(r.st.Reported, status.ReasonLimitNotEnforced)
	}
	if len(r.st.Reported) == 0 {
		r.st.Reported = nil
	}
}

// emitBlockedOnce emits what keeps a process that runs from its spec, unless that was the last thing that was
// reported for that reason.
func (r *planner) emitBlockedOnce(reason status.Reason, message string) {
	if r.st.Reported[reason] == message {
		return
	}
	if r.st.Reported == nil {
		r.st.Reported = map[status.Reason]string{}
	}
	r.st.Reported[reason] = message
	r.emitBlocked(reason, message)
}
