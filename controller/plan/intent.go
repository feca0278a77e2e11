package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"lightd/desired"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// recordIntent records a step before it is executed, so that a daemon that starts after a crash
// knows that it may have happened. A step that is repeated is recorded and reported once.
func (r *planner) recordIntent(s Step) {
	in := &r.st.Install
	r.emitDrift(s)
	switch s.Kind {
	case LoadSnapshot:
		r.st.ImageGeneration = r.in.Spec.Generation
	case PullImage:
		r.st.ImageGeneration = r.in.Spec.Generation
		if r.asksRegistry(s.Image) {
			r.recordPull(s.Image)
		}
		if r.st.Pulling != s.Image {
			r.st.Pulling = s.Image
			r.emit(journal.PullingImage, s.Image)
		}
	case CreateInstallContainer:
		r.recordFirstCreate()
		r.st.CreationMark = cmp.Or(r.st.CreationMark, r.in.CreationMark)
	case CreateContainer:
		r.st.CreationMark = cmp.Or(r.st.CreationMark, r.in.CreationMark)
		if !in.Script && in.Phase == status.InstallPreparing {
			r.recordFirstCreate()
		}
	case StartInstallScript:
		in.ScriptAt, in.NotStarted = r.in.Now, false // what did not run has used up none of its time
		if in.Phase != status.InstallScript {
			in.Phase = status.InstallScript
			r.emit(journal.RunningInstallScript, "")
		}
	case KillInstallScript:
		in.TimedOut = !in.WroteTooMuch()
	case WriteEntrypoint:
		if in.Phase == status.InstallCreated || in.Phase == status.InstallKept {
			in.Phase = status.InstallEntrypoint
			r.emit(journal.SettingUpEntrypoint, "")
		}
	case CheckHost:
		r.emitRebind()
	case StopContainer, KillContainer:
		r.recordStop(s)
	case RemoveContainer:
		r.recordRemove(s)
	case StartContainer:
		r.recordStart(s)
	case UpdateLimits:
		r.countUpdate()
	}
	r.st.State = r.state()
}

// emitDrift reports that what was in sync with this very generation no longer is.
func (r *planner) emitDrift(s Step) {
	before := r.in.Status
	if s.unhealthy || s.Kind == StopContainer && (r.in.stoppedByQuota() || r.in.drained()) {
		return // events of their own say why
	}
	if r.in.Spec.Deleting || before.ObservedGeneration != r.in.Spec.Generation || before.Get(status.Synced).Status != status.True {
		return
	}
	if s.Kind.Traits().Drift {
		r.emit(journal.DriftDetected, s.Reason)
	}
}

func (r *planner) recordFirstCreate() {
	if r.st.Install.Phase != status.InstallCreating {
		r.st.Install.Phase = status.InstallCreating
		r.emit(journal.CreatingContainer, "")
	}
}

func (r *planner) recordRemove(s Step) {
	if r.st.Replacing == "" && !r.in.Spec.Deleting {
		r.emit(journal.RemovingOldContainer, s.Reason)
	}
	r.st.Replacing = s.Reason
	if r.st.FailedGeneration == r.in.Spec.Generation && r.st.Install.Phase == status.InstallDone {
		// The container that takes its place is started as any other.
		r.st.FailedGeneration, r.st.FailedBy, r.st.ReplacedGeneration = 0, "", r.in.Spec.Generation
		r.set(status.Installed, status.True, status.ReasonInstalled, "")
	}
	if run := r.in.Seen.Run; run != nil && r.hasRemains() {
		r.st.Remains.Recreated = true
	}
	if r.fits() {
		r.st.IneffectiveFixes, r.st.RecreatedFrom = r.reasons(), s.Target // unless it helps
	}
}

// emitRebind emits once a generation that other ports are the reason of a recreation.
func (r *planner) emitRebind() {
	spec := r.in.Spec
	if spec.Deleting || r.st.Install.Phase != status.InstallDone || r.st.RebindGeneration == spec.Generation ||
		r.fits() || !slices.ContainsFunc(r.fields(), func(f Field) bool { return f.Path == "ports" }) {
		return
	}
	r.st.RebindGeneration = spec.Generation
	r.emit(journal.RebindStarted, "")
}

func (r *planner) recordStart(s Step) {
	run := status.RunOf(r.in.Seen.Run)
	if r.st.Starting == nil {
		r.st.Starting = &run
		r.emit(journal.Starting, s.Reason)
	}
	if r.restartWanted() && r.st.Restarting == nil {
		r.st.Restarting = &run
	}
	r.mergeRestarts()
	r.st.StartGeneration, r.st.NotBefore = r.in.Spec.Generation, time.Time{}
}

func (r *planner) restartWanted() bool {
	return r.in.Spec.Requests.Restart > r.st.RestartHandled && r.in.EffectivePower() == desired.PowerRunning
}

// mergeRestarts lets one new run answer all restarts that were requested before it.
func (r *planner) mergeRestarts() {
	if r.st.Restarting != nil {
		r.st.RestartRequest = r.in.Spec.Requests.Restart
	}
}

// setConditions writes the conditions that follow from the decision, and the receipt.
func (r *planner) setConditions(n next) {
	r.setProcess()
	r.setInstalled()
	if n.upToDate {
		r.st.ObservedGeneration = r.in.Spec.Generation
	}
	switch {
	case r.in.Spec.Deleting:
		r.set(status.Synced, status.False, status.ReasonDeleting, "the container is being deleted")
	case n.step != nil && n.wait == "":
		r.progress(string(n.step.Kind) + ": " + n.step.Reason)
	case n.wait == status.ReasonProgressing:
		r.progress(n.message)
	case n.wait != "":
		before := r.st.Get(status.Synced)
		if n.retrying && before.Reason == n.wait && before.Message == n.message {
			break // how it ended for an earlier generation is not how it ends for this one
		}
		r.set(status.Synced, status.False, n.wait, n.message)
		if now := r.st.Get(status.Synced); now.Reason != before.Reason || now.Message != before.Message {
			r.emitFailure(n.wait, n.message)
		}
	default:
		r.set(status.Synced, status.True, status.ReasonSynced, "")
		r.st.ImagePulls = nil // no container is to be made
	}
}

// emitFailure reports, once for each cause and whatever the generation, what keeps the container
// from its spec. A crash loop and a failed installation have events of their own.
func (r *planner) emitFailure(reason status.Reason, message string) {
	switch reason {
	case status.ReasonImageUnavailable:
		r.emit(journal.PullFailed, message)
	case status.ReasonPortNotPublished, status.ReasonLimitNotEnforced:
		r.emitBlockedOnce(reason, message)
	case status.ReasonPortUnavailable, status.ReasonMountUnavailable, status.ReasonNameTaken, status.ReasonInstallLost,
		status.ReasonImageNotAllowed, status.ReasonImageNotPresent:
		r.emitBlocked(reason, message)
	}
}

func (r *planner) emitBlocked(reason status.Reason, message string) {
	r.emit(journal.Blocked, string(reason)+": "+message)
}

// progress reports what is under way, but keeps the reason of a failure until it is over.
func (r *planner) progress(message string) {
	switch have := r.st.Get(status.Synced); have.Reason {
	case status.ReasonStepFailed, status.ReasonDiskFull, status.ReasonPortUnavailable, status.ReasonPortNotPublished,
		status.ReasonLimitNotEnforced, status.ReasonMountUnavailable, status.ReasonNetworkUnavailable, status.ReasonImageNotAllowed:
	default:
		r.set(status.Synced, status.False, status.ReasonProgressing, message)
	}
}

// setInstalled carries the condition of an earlier generation over to the present one, unless
// the present one requests another installation.
func (r *planner) setInstalled() {
	c := r.st.Get(status.Installed)
	refused := r.st.FailedGeneration != 0 && r.st.FailedGeneration == r.in.Spec.Generation
	switch {
	case refused && c.Status == status.True: // a record from before that reason existed has it
		c.Status, c.Reason, c.Message = status.False, status.ReasonRefused, r.st.Get(status.Synced).Message
	case !refused && c.Reason.GivenUp() && r.st.Install.Phase == status.InstallDone:
		c.Status, c.Reason = status.True, status.ReasonInstalled
	}
	if c.Status == status.True {
		c.Message = ""
		if failed := r.st.Install.CopyError; failed != "" {
			c.Message = "the installation is not copied to the data directory: " + failed
		}
	}
	if c.Type != "" && r.in.Spec.Requests.Install <= r.st.Install.Request {
		r.set(c.Type, c.Status, c.Reason, c.Message)
	}
}

func (r *planner) setProcess() {
	run := r.in.Seen.Run
	if !run.Running() {
		reason, message := status.ReasonStopped, ""
		switch {
		case r.st.State == status.StateStarting:
			reason = status.ReasonStarting
		case r.st.State == status.StateBackOff:
			reason = status.ReasonBackOff
		case r.in.Spec.Suspended:
			reason, message = status.ReasonSuspended, "nothing starts until that is lifted"
		case r.in.stoppedByQuota():
			reason, message = status.ReasonOverQuota, "nothing starts until its volume takes less of the disk"
		case r.heldStart():
			n := r.held("nothing starts until the node is uncordoned")
			reason, message = n.wait, n.message
		case r.st.LastExit != nil:
			reason, message = status.ReasonExited, fmt.Sprintf("exit code %d", r.st.LastExit.Code)
		}
		r.set(status.ProcessStarted, status.False, reason, message)
		r.set(status.ProcessRunning, status.False, reason, message)
		return
	}
	if r.st.Stopping != nil {
		r.set(status.ProcessStarted, status.True, status.ReasonStopping, r.st.Stopping.Reason)
	} else {
		r.set(status.ProcessStarted, status.True, status.ReasonStarted, "")
	}
	switch {
	case !r.st.Matched.Is(status.RunOf(run)):
		r.set(status.ProcessRunning, status.False, status.ReasonWaitingForPattern, r.in.PatternError)
	case r.in.Spec.StartPattern == "":
		r.set(status.ProcessRunning, status.True, status.ReasonNoPattern, "")
	default:
		r.set(status.ProcessRunning, status.True, status.ReasonPatternMatched, "")
	}
}
