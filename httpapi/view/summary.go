package view

import (
	"fmt"
	"strings"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

// Summarize says in one sentence how a container is: what is the matter, since when, what the daemon does
// about it, and what a person can do. It has no figure that changes without a change of the container.
func Summarize(c api.Container) string {
	what, why := matter(c)
	text := what
	if !why.LastTransitionTime.IsZero() {
		text += " since " + why.LastTransitionTime.UTC().Format(time.RFC3339)
	}
	if why.Message != "" {
		text += ": " + strings.TrimSuffix(why.Message, ".")
	}
	for _, more := range []string{why.Reason.Advice().Does, Filled(why.Reason.Advice().Can, c)} {
		if more != "" {
			text += "; " + more
		}
	}
	return text
}

// NeedsAttention reports whether something is the matter with a container that a person should know of.
func NeedsAttention(c api.Container) bool {
	_, why := matter(c)
	return why.Reason.Advice() != status.Advice{}
}

// Filled returns an advice with the names of a container in it.
func Filled(advice string, c api.Container) string {
	return strings.NewReplacer("ID", c.InternalID, "VOLUME", c.VolumeID).Replace(advice)
}

// matter returns what a person wants to know first, and the condition that says why.
func matter(c api.Container) (what string, why status.Condition) {
	synced, installed, started, running := c.Condition(status.Synced), c.Condition(status.Installed), c.Condition(status.ProcessStarted), c.Condition(status.ProcessRunning)
	full, healthy, quota := c.Condition(status.DiskFull), c.Condition(status.Healthy), c.Condition(status.QuotaExceeded)
	blocked := synced.Status == status.False && synced.Reason != status.ReasonProgressing && synced.Reason != status.ReasonBackOff
	switch {
	case c.Deleting:
		return "is being deleted", synced
	case len(c.Conditions) == 0:
		return "waits for its first reconcile", status.Condition{}
	case synced.Reason == status.ReasonEngineDown:
		return "is not known, as Docker cannot be reached", synced
	case full.Status == status.True:
		return "is held up by a full disk", full
	case synced.Reason == status.ReasonPaused:
		return stateWord(c) + ", and is left alone", synced
	case installed.Status == status.False && installed.Reason != status.ReasonInstalling:
		return "was not installed", installed
	case synced.Reason.HeldByNode():
		return stateWord(c) + ", and is held back with the node", synced
	case blocked:
		return blockedWord(c), synced
	case started.Reason == status.ReasonSuspended:
		return "is suspended", started
	case started.Reason == status.ReasonOverQuota:
		return "is stopped as its volume is over its quota", quota
	case installed.Status == status.False:
		installed.Message = synced.Message
		return "is being installed", installed
	case c.State == status.StateBackOff:
		return "ends again and again", withExit(c, started)
	case c.State == status.StateOffline && c.Power == desired.PowerRunning && c.LastExit != nil:
		return "has ended", withExit(c, started)
	case running.Reason == status.ReasonWaitingForPattern:
		return "is up, and has not printed its start pattern", running
	case healthy.Status == status.False:
		return "runs, and its health check fails", healthy
	case quota.Status == status.True:
		return stateWord(c) + ", and its volume is over its quota", quota
	case synced.Status == status.False:
		return stateWord(c) + ", and is being brought to its spec", synced
	case c.State == status.StateRunning:
		return "runs", running
	}
	return stateWord(c), status.Condition{}
}

// blockedWord is what is the matter with a container that something keeps from its spec.
func blockedWord(c api.Container) string {
	switch {
	case c.State == status.StateRunning || c.State == status.StateStarting:
		return "runs, and not as its spec says"
	case c.InstallState == status.Installing:
		return "cannot be installed"
	case c.Power == desired.PowerRunning:
		return "cannot be started"
	}
	return "cannot be brought to its spec"
}

// stateWord is the state as a verb.
func stateWord(c api.Container) string {
	switch c.State {
	case status.StateRunning:
		return "runs"
	case status.StateOffline:
		return "is stopped"
	case status.StateUnknown:
		return "is not known"
	}
	return "is " + string(c.State)
}

// withExit returns a condition with how the process has ended.
func withExit(c api.Container, why status.Condition) status.Condition {
	exit := c.LastExit
	if exit == nil {
		return why
	}
	switch {
	case exit.OOM && c.Limits.Memory > 0:
		why.Message = fmt.Sprintf("the kernel ended it for memory, of which its limit is %s", desired.FormatSize(c.Limits.Memory))
	case exit.OOM:
		why.Message = "the kernel ended it for memory"
	case exit.Signal != "":
		why.Message = "it was ended by " + exit.Signal
	default:
		why.Message = fmt.Sprintf("its exit code was %d", exit.Code)
	}
	return why
}
