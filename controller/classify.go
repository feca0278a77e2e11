package controller

import (
	"errors"
	"strings"
	"time"

	"lightd/controller/datadir"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// stepResult is what follows from the end of a step.
type stepResult struct {
	// failed is true when the step is to be tried again, after a growing delay: up to retry for an external
	// cause, and where that is 0 as all failures of the key.
	failed bool
	retry  time.Duration
	// stale is true when the container of the step was gone, or in no state for it.
	stale bool
	// patch is what is recorded with the next decision.
	patch func(*status.Status) []journal.Event
}

// blockedError is an error whose cause is outside of Lightd and of the spec.
type blockedError struct {
	reason status.Reason
	err    error
}

func (b blockedError) Error() string { return b.err.Error() }
func (b blockedError) Unwrap() error { return b.err }

// plainError is an error of the engine with a sentence that needs no knowledge of the engine. The condition has the
// sentence alone, the event both.
type plainError struct {
	sentence string
	err      error
}

func (p plainError) Error() string { return p.sentence + " (" + p.err.Error() + ")" }
func (p plainError) Unwrap() error { return p.err }

// classify turns the error of a step into what follows. See design rule 9: failure has a class.
func (a *execution) classify(err error) stepResult {
	if err == nil {
		return stepResult{patch: a.patch}
	}
	var invalid *desired.ValidationError
	var blocked blockedError
	var unsuitable *unsuitableError
	if full := diskFull(err); full != nil {
		return a.failTransient(full, status.ReasonDiskFull, spaceRetry)
	}
	switch class := engine.Classify(err); {
	case errors.Is(err, errSuperseded):
		return stepResult{failed: true}
	case errors.As(err, &unsuitable):
		return a.failTerminal(err, status.ReasonImageUnsuitable)
	case errors.As(err, &blocked):
		return a.failTransient(err, blocked.reason, plan.BlockedRetry)
	case errors.As(err, &invalid):
		return a.failTransient(err, status.ReasonMountUnavailable, plan.BlockedRetry)
	case errors.Is(err, datadir.ErrMissing), errors.Is(err, datadir.ErrReplaced):
		return a.failTransient(err, status.ReasonMountUnavailable, plan.BlockedRetry)
	case a.step.Kind == plan.StartContainer && engine.RunRemains(err):
		return a.failRemains(err)
	case terminalOnRefusal(a.step.Kind, err):
		return a.failTerminal(err, status.ReasonRefused)
	case class == engine.NotFound && a.step.Image != "":
		a.cfg.Images.Refresh(a.step.Image)
		return stepResult{failed: true}
	case class == engine.NotFound, class == engine.Conflict:
		// The container is gone, changed by others, or in no state for the step: a new
		// observation decides.
		return stepResult{failed: true, stale: true, patch: a.startFailed(err)}
	}
	return a.failTransient(err, status.ReasonStepFailed, 0)
}

// failTransient puts into the condition Synced why the step failed. The step is retried after a growing delay,
// see stepResult.
func (a *execution) failTransient(err error, reason status.Reason, retry time.Duration) stepResult {
	message := a.message(err)
	reported := message
	var plain plainError
	if errors.As(err, &plain) {
		message = plain.sentence
	}
	return stepResult{failed: true, retry: retry, patch: func(st *status.Status) (events []journal.Event) {
		if st.Set(status.Condition{Type: status.Synced, Status: status.False, Reason: reason,
			Message: message, ObservedGeneration: a.spec.Generation}, time.Now()) {
			events = append(events, a.failureEvent(reason, reported))
		}
		if record := a.startFailed(err); record != nil {
			record(st)
		}
		return events
	}}
}

// startFailed returns what records of an install script whose start failed whether it may run all the same;
// nil where the step is no such start. Most of the step comes before the engine is asked to start anything.
func (a *execution) startFailed(err error) func(*status.Status) []journal.Event {
	if a.step.Kind != plan.StartInstallScript {
		return nil
	}
	var unanswered engine.UnansweredError
	unsure := errors.As(err, &unanswered)
	return func(st *status.Status) []journal.Event {
		st.Install.Unsure, st.Install.NotStarted = st.Install.Unsure || unsure, !unsure
		return nil
	}
}

// failRemains counts a start that the engine refused for what it has left of an earlier run. The start is tried again, as
// an end may not be over; the planner decides when another container takes its place.
func (a *execution) failRemains(err error) stepResult {
	failed := a.failTransient(plainError{"the engine has remains of an earlier run of this container, and does not start it", err}, status.ReasonStepFailed, 0)
	record := failed.patch
	failed.patch = func(st *status.Status) []journal.Event {
		remains := status.Remains{ContainerID: a.step.Target}
		if before := st.Remains; before != nil {
			remains.Recreated = before.Recreated
			if before.ContainerID == a.step.Target {
				remains.Refused = before.Refused
			}
		}
		remains.Refused++
		st.Remains = &remains
		return record(st)
	}
	return failed
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
	for _, m := range a.spec.Mount {
		keep = append(keep, m.Source)
	}
	return messageOf(err, keep...)
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

// failTerminal gives the present generation up: only a new one is tried.
func (a *execution) failTerminal(err error, reason status.Reason) stepResult {
	message := a.message(err)
	return stepResult{patch: func(st *status.Status) []journal.Event {
		now, c := time.Now(), status.Condition{Status: status.False, Reason: reason,
			Message: message, ObservedGeneration: a.spec.Generation}
		st.FailedGeneration, st.FailedBy, st.FailedImage = a.spec.Generation, status.FailedBySpec, ""
		var unsuitable *unsuitableError
		if errors.As(err, &unsuitable) {
			st.FailedImage = unsuitable.imageID
		}
		var events []journal.Event
		if st.Starting != nil {
			events = append(events, journal.Event{InternalID: a.spec.InternalID, Type: journal.Exited,
				Generation: a.spec.Generation, Message: "the engine refused to start it"})
		}
		st.Starting, st.State = nil, status.StateOffline
		if installNotStarted(st.Install) {
			// The next spec starts over: what was made for this one may be what is refused.
			st.Install = status.Install{Request: st.Install.Request, Phase: status.InstallPreparing}
		}
		c.Type = status.Synced
		st.Set(c, now)
		c.Type = status.Installed
		st.Set(c, now)
		return append(events, journal.Event{InternalID: a.spec.InternalID, Type: journal.Error,
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

// installNotStarted reports whether nothing of an installation can have happened yet: the creation of
// its first container was at most requested. It is for when the engine has refused that creation.
func installNotStarted(in status.Install) bool {
	return in.Phase == status.InstallCreating || in.Phase == status.InstallCreated || in.Phase == status.InstallScript && !in.Unsure
}

// explain returns the error of a creation or a start as a blockedError where the host is the cause:
// the host can be fixed without another spec.
func (a *execution) explain(err error) error {
	switch engine.Classify(err) {
	case engine.Refused, engine.Other:
	default:
		return err
	}
	if check := a.probeHost(); check.Reason != "" {
		return blockedError{check.Reason, plainError{check.Message, err}}
	}
	if engine.PortUnavailable(err) {
		return blockedError{status.ReasonPortUnavailable, plainError{a.portRefused(err), err}}
	}
	if engine.MountDenied(err) {
		return blockedError{status.ReasonMountUnavailable, plainError{a.mountDenied(err), err}}
	}
	if engine.FaultOf(err) == engine.FaultHost {
		return blockedError{status.ReasonMountUnavailable, err}
	}
	return err
}

// terminalOnRefusal reports whether the refusal of a step lasts until the spec changes.
func terminalOnRefusal(k plan.Kind, err error) bool {
	switch k.Traits().Refusal {
	case plan.RefusalIsTerminal:
		return engine.Classify(err) == engine.Refused
	case plan.SpecFaultIsTerminal:
		return engine.FaultOf(err) == engine.FaultSpec
	}
	return false
}
