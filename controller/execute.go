package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lightd/controller/datadir"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// execution is one step being taken, with the sight that it was decided on.
type execution struct {
	*Controller
	spec desired.Container
	st   status.Status
	seen observed.Snapshot
	step plan.Step
	// began is when.
	began time.Time

	// What the step leaves behind beside its effect.
	patch func(*status.Status) []journal.Event
	host  *plan.HostCheck
	gone  bool
	// killed is true once the process was killed for a mount that leads elsewhere.
	killed bool
}

// stepResult is what becomes of a key after a step.
type stepResult struct {
	// retry is when the same step may be tried again; 0 when it succeeded.
	retry time.Duration
	// stale is true when its container was gone, or in no state for it.
	stale bool
	patch func(*status.Status) []journal.Event
}

// blockedError is an error that only somebody else can mend.
type blockedError struct {
	reason status.Reason
	err    error
}

func (w blockedError) Error() string { return w.err.Error() }
func (w blockedError) Unwrap() error { return w.err }

// waitRetry is how often what only somebody else can mend is tried.
const waitRetry = 15 * time.Second

// execute executes the step. There is no choice in it: what is to be done was decided.
func (a *execution) execute(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in step %s: %v", a.step.Kind, p)
		}
	}()
	id, target, e := a.spec.InternalID, a.step.Target, a.cfg.Engine
	switch a.step.Kind {
	case plan.PullImage:
		a.cfg.Images.Pull(a.step.Image)
		return nil
	case plan.CreateInstallContainer:
		return a.createInstall(ctx)
	case plan.StartInstallScript:
		return a.startInstall(ctx)
	case plan.KillInstallScript:
		return e.Kill(ctx, target, "SIGKILL")
	case plan.KeepInstallation:
		return a.keepInstall(ctx)
	case plan.SaveInstallOutput:
		return a.saveOutput(ctx)
	case plan.RemoveInstallContainer, plan.RemoveContainer:
		return e.Remove(ctx, target)
	case plan.RestoreSnapshot:
		defer a.cfg.Images.Refresh(a.step.Image)
		return e.Tag(ctx, a.seen.Run.ImageID, a.step.Image)
	case plan.LoadSnapshot:
		a.cfg.Snapshots.Load(a.step.Image)
		return nil
	case plan.WriteEntrypoint:
		return a.cfg.Data.WriteEntrypoint(a.spec.Spec)
	case plan.CheckHost:
		a.checkHost()
		return nil
	case plan.CreateContainer:
		return a.create(ctx)
	case plan.UpdateLimits:
		return a.updateLimits(ctx)
	case plan.StartContainer:
		return a.start(ctx)
	case plan.VerifyMounts:
		return a.verifyMounts(ctx)
	case plan.UnpauseContainer:
		return e.Unpause(ctx, target)
	case plan.RenameContainer:
		return e.Rename(ctx, target, observed.RunName(id))
	case plan.StopContainer:
		return a.stop(ctx)
	case plan.KillContainer:
		return a.kill(ctx)
	case plan.ReleasePorts:
		return a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			return tx.ReleasePorts(id, plan.Releasable(a.spec, a.seen.Run))
		})
	case plan.Finalize:
		return a.finalize(ctx)
	}
	return fmt.Errorf("step %q is not known", a.step.Kind)
}

// classify turns the error of a step into what follows. See design rule 9: failure has a class.
func (a *execution) classify(err error) stepResult {
	if err == nil {
		return stepResult{patch: a.patch}
	}
	var invalid *desired.ValidationError
	var wait blockedError
	var unsuitable *unsuitableError
	if full := diskFull(err); full != nil {
		return a.failTransient(full, status.ReasonDiskFull, spaceRetry)
	}
	switch class := engine.Classify(err); {
	case errors.As(err, &unsuitable):
		return a.failTerminal(err, status.ReasonImageUnsuitable)
	case errors.As(err, &wait):
		return a.failTransient(err, wait.reason, waitRetry)
	case errors.As(err, &invalid):
		return a.failTransient(err, status.ReasonMountUnavailable, waitRetry)
	case errors.Is(err, datadir.ErrMissing), errors.Is(err, datadir.ErrReplaced):
		return a.failTransient(err, status.ReasonMountUnavailable, waitRetry)
	case terminalOnRefusal(a.step.Kind, err):
		return a.failTerminal(err, status.ReasonRefused)
	case class == engine.NotFound && a.step.Image != "":
		a.cfg.Images.Refresh(a.step.Image)
		return stepResult{retry: a.backoff.When(a.spec.InternalID)}
	case class == engine.NotFound, class == engine.Conflict:
		// Gone already, in somebody's hands, or in no state for it: looking again decides.
		a.log.Debug("step was overtaken", "container", a.spec.InternalID, "step", a.step.Kind, "error", err)
		return stepResult{retry: a.backoff.When(a.spec.InternalID), stale: true}
	}
	return a.failTransient(err, status.ReasonStepFailed, a.backoff.When(a.spec.InternalID))
}

// failTransient says in the condition Synced what stands in the way.
func (a *execution) failTransient(err error, reason status.Reason, retry time.Duration) stepResult {
	a.log.Debug("step failed", "container", a.spec.InternalID, "step", a.step.Kind, "reason", reason,
		"error", err, "retry", retry.Round(time.Millisecond))
	message := a.message(err)
	return stepResult{retry: retry, patch: func(st *status.Status) (events []journal.Event) {
		if st.Set(status.Condition{Type: status.Synced, Status: status.False, Reason: reason,
			Message: message, ObservedGeneration: a.spec.Generation}, time.Now()) {
			events = append(events, a.failureEvent(reason, message))
		}
		if a.step.Kind == plan.StartInstallScript && engine.Classify(err) == engine.Unavailable {
			st.Install.Unsure = true
		}
		return events
	}}
}

// message is the text of an error, the same for each failure of one cause, with the host paths of
// the container as they are.
func (a *execution) message(err error) string {
	keep := []string{a.step.Target, a.st.ContainerID}
	if a.cfg.VolumePath != nil {
		keep = append(keep, a.cfg.VolumePath(a.spec.VolumeID))
	}
	if a.cfg.Data != nil {
		keep = append(keep, a.cfg.Data.Path(a.spec.InternalID))
	}
	return messageOf(err, slices.AppendSeq(keep, maps.Values(a.spec.Mount))...)
}

// failureEvent reports a step that failed for a reason.
func (a *execution) failureEvent(reason status.Reason, message string) journal.Event {
	e := journal.Event{InternalID: a.spec.InternalID, Type: journal.StepFailed, Generation: a.spec.Generation,
		Message: string(a.step.Kind) + ": " + message}
	if reason != status.ReasonStepFailed {
		e.Type, e.Message = journal.Blocked, string(reason)+": "+message
	}
	return e
}

// failTerminal gives the present generation up.
func (a *execution) failTerminal(err error, reason status.Reason) stepResult {
	a.log.Debug("the engine refuses the container as specified", "container", a.spec.InternalID,
		"step", a.step.Kind, "error", err)
	message := a.message(err)
	return stepResult{patch: func(st *status.Status) []journal.Event {
		now, c := time.Now(), status.Condition{Status: status.False, Reason: reason,
			Message: message, ObservedGeneration: a.spec.Generation}
		st.FailedGeneration, st.FailedBy, st.FailedImage = a.spec.Generation, status.FailedBySpec, ""
		var unsuitable *unsuitableError
		if errors.As(err, &unsuitable) {
			st.FailedImage = unsuitable.imageID
		}
		var told []journal.Event
		if st.Starting != nil {
			told = append(told, journal.Event{InternalID: a.spec.InternalID, Type: journal.Exited,
				Generation: a.spec.Generation, Message: "the engine refused to start it"})
		}
		st.Starting, st.State = nil, status.StateOffline
		if installNotStarted(st.Install) {
			// The next spec begins anew: what was made for this one may be what is refused.
			st.Install = status.Install{Request: st.Install.Request, Phase: status.InstallPreparing}
		}
		c.Type = status.Synced
		st.Set(c, now)
		c.Type = status.Installed
		st.Set(c, now)
		return append(told, journal.Event{InternalID: a.spec.InternalID, Type: journal.Error,
			Generation: a.spec.Generation, Message: c.Message})
	}}
}

// maxMessage bounds what is recorded of an error: an engine's answer may hold up to 1 MiB.
const maxMessage = 4 << 10

// messageOf returns an error as conditions and events hold it, with the ids in keep.
func messageOf(err error, keep ...string) string {
	text := engine.Message(err, keep...)
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "..."
}

// installNotStarted reports whether nothing of an installation has surely happened, though its first
// container was asked for. It is for when the engine has refused it.
func installNotStarted(in status.Install) bool {
	return in.Phase == status.InstallCreating || in.Phase == status.InstallCreated || in.Phase == status.InstallScript && !in.Unsure
}
