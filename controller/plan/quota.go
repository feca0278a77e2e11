package plan

import (
	"fmt"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// EffectivePower is what the process should be doing now: what the spec says, unless its volume is over its quota and
// it is to be stopped then, or it runs on a node that is drained.
func (in Input) EffectivePower() desired.Power {
	if in.stoppedByQuota() || in.drained() {
		return desired.PowerStopped
	}
	return in.Spec.EffectivePower()
}

// stoppedByQuota reports whether the process may not run because of what its volume takes of the disk.
func (in Input) stoppedByQuota() bool {
	return in.Spec.QuotaExceeded == desired.QuotaStop && in.overQuota()
}

// overQuota reports whether the volume is over its quota. While it is near it, and before it was measured, it is what
// it was.
func (in Input) overQuota() bool {
	switch quota := in.Quota; {
	case quota.Known && quota.Bytes == 0, quota.Use == observed.BelowQuota:
		return false
	case quota.Use == observed.OverQuota:
		return true
	}
	return in.Status.Get(status.QuotaExceeded).Status == status.True
}

// observeQuota keeps the condition QuotaExceeded, and reports its changes. Its messages do not have what the volume
// takes, which changes with every measurement: each would be a revision.
func (r *planner) observeQuota() {
	quota, have := r.in.Quota, r.st.Get(status.QuotaExceeded)
	if !quota.Known || r.in.Spec.Deleting {
		return
	}
	size := fmt.Sprintf("its volume takes %d MiB of the disk, and its quota is %s", quota.Used>>20, desired.FormatSize(quota.Bytes))
	switch over := r.in.overQuota(); {
	case quota.Bytes == 0:
		size = "its volume has no quota any more"
		r.st.Remove(status.QuotaExceeded)
	case over:
		r.set(status.QuotaExceeded, status.True, status.ReasonOverQuota, "the quota of its volume is "+desired.FormatSize(quota.Bytes))
	case quota.Use == observed.QuotaNotMeasured && have.Type == "":
		r.set(status.QuotaExceeded, status.Unknown, status.ReasonNotMeasured, "")
	case quota.Use != observed.QuotaNotMeasured:
		r.set(status.QuotaExceeded, status.False, status.ReasonWithinQuota, "")
	}
	switch was, is := have.Status == status.True, r.st.Get(status.QuotaExceeded).Status == status.True; {
	case is && !was:
		r.emit(journal.QuotaExceeded, size)
	case was && !is:
		r.emit(journal.QuotaRecovered, size)
	}
}
