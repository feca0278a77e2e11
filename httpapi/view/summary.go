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
// about it, and what a person can do. It has no figure that changes without a change of the container, and
// nothing of what programs and scripts print: whoever may read a container reads it.
func Summarize(c api.Container, b status.Backoff) string {
	m := matterOf(c, b)
	text := m.what
	if !m.since.IsZero() {
		text += " (since " + m.since.UTC().Format(time.RFC3339) + ")"
	}
	if m.message != "" {
		text += ": " + strings.TrimSuffix(m.message, ".")
	}
	for _, more := range []string{m.advice.Does, Filled(m.advice.Can, c)} {
		if more != "" {
			text += "; " + more
		}
	}
	return text
}

// Attention is the summary of a container with which something is the matter that a person should know of;
// empty for all others.
func (v *Viewer) Attention(c desired.Container) string {
	shown := v.Container(c)
	if matterOf(shown, v.Status(c.InternalID).Backoff).advice == (status.Advice{}) {
		return ""
	}
	return shown.Summary
}

// Filled returns an advice with the names of a container in it.
func Filled(advice string, c api.Container) string {
	if !strings.Contains(advice, "ID") && !strings.Contains(advice, "VOLUME") {
		return advice
	}
	return strings.NewReplacer("ID", c.InternalID, "VOLUME", c.VolumeID).Replace(advice)
}

// crashesToTell is from how many ends in a row on they are part of the summary of a container that runs again.
const crashesToTell = 2

// matter is what a person wants to know of a container first.
type matter struct {
	what, message string
	since         time.Time
	advice        status.Advice
}

// because is a matter that a condition is the reason of.
func because(what string, c status.Condition) matter {
	return matter{what, c.Message, c.LastTransitionTime, c.Advice()}
}

func matterOf(c api.Container, b status.Backoff) matter {
	synced, installed, started, running := c.Condition(status.Synced), c.Condition(status.Installed), c.Condition(status.ProcessStarted), c.Condition(status.ProcessRunning)
	full, healthy, quota := c.Condition(status.DiskFull), c.Condition(status.Healthy), c.Condition(status.QuotaExceeded)
	blocked := synced.Status == status.False && synced.Reason != status.ReasonProgressing && synced.Reason != status.ReasonBackOff
	switch {
	case c.Deleting:
		return because("is being deleted", synced)
	case len(c.Conditions) == 0:
		return matter{what: "waits for its first reconcile"}
	case synced.Reason == status.ReasonEngineDown:
		m := because("is in an unknown state, as Docker does not answer", synced)
		m.message = "" // it says the same
		return m
	case full.Status == status.True:
		full.Message = strings.TrimPrefix(full.Message, desired.ErrDiskFull.Error()+": ")
		return because(stateWord(c)+", and the disk of the data directory is full", full)
	case synced.Reason == status.ReasonPaused:
		return because(stateWord(c)+", and is left alone", synced)
	case installed.Status == status.False && installed.Reason != status.ReasonInstalling:
		return because("was not installed", installed)
	case synced.Reason.HeldByNode():
		m := because(stateWord(c), synced)
		m.since = time.Time{} // the message has since when the node is
		return m
	case blocked:
		return because(blockedWord(c, started), synced)
	case started.Reason == status.ReasonSuspended:
		return because("is suspended", started)
	case started.Reason == status.ReasonOverQuota && c.Power == desired.PowerRunning:
		return overQuota(c, "is stopped as its volume is over its quota", quota)
	case installed.Status == status.False:
		return matter{what: "is being installed", message: synced.Message, since: installed.LastTransitionTime}
	case c.State == status.StateBackOff, c.State == status.StateStarting && started.Status != status.True && b.Crashes >= crashesToTell:
		return endsAgainAndAgain(c, b, started)
	case c.State == status.StateOffline && c.Power == desired.PowerRunning && c.LastExit != nil:
		return withExit(c, because("has ended", started))
	case running.Reason == status.ReasonWaitingForPattern:
		running.Message = "no line has matched " + desired.Quote(c.StartPattern)
		return because("is up, and has not printed its start pattern", afterCrashes(c, b, running))
	case healthy.Status == status.False:
		return because("runs, and its health check fails", healthy)
	case quota.Status == status.True:
		return overQuota(c, stateWord(c)+", and its volume is over its quota", quota)
	case synced.Status == status.False:
		return because(stateWord(c)+", and is being brought to its spec", synced)
	case c.State == status.StateRunning:
		return because("runs", afterCrashes(c, b, running))
	}
	return matter{what: stateWord(c)}
}

// overQuota is the matter of a container whose volume is over its quota.
func overQuota(c api.Container, what string, quota status.Condition) matter {
	m := because(what, quota)
	m.advice = m.advice.OverQuota(c.QuotaExceeded == desired.QuotaStop, c.Power == desired.PowerRunning)
	return m
}

// endsAgainAndAgain is the matter of a process whose next start waits, or is under way, after its ends. Its time is
// that of the first of them, which stays the same from start to start.
func endsAgainAndAgain(c api.Container, b status.Backoff, started status.Condition) matter {
	m := because("ends again and again", started)
	m.message, m.advice = "", status.ReasonBackOff.Advice()
	if !b.CrashingSince.IsZero() {
		m.since = b.CrashingSince
	}
	return withExit(c, m)
}

// afterCrashes returns a condition of a process that is up, with how often it ended before.
func afterCrashes(c api.Container, b status.Backoff, up status.Condition) status.Condition {
	if b.Crashes < crashesToTell || c.LastExit == nil {
		return up
	}
	if up.Message != "" {
		up.Message += "; "
	}
	up.Message += fmt.Sprintf("it ended %d times in a row before: %s", b.Crashes, exitText(c))
	return up
}

// blockedWord is what is the matter with a container that something keeps from its spec.
func blockedWord(c api.Container, started status.Condition) string {
	switch {
	case started.Status == status.True:
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
		return "is in an unknown state"
	}
	return "is " + string(c.State)
}

// withExit returns a matter with how the process has ended, and what is done about that.
func withExit(c api.Container, m matter) matter {
	if c.LastExit == nil {
		return m
	}
	m.message = exitText(c)
	if c.LastExit.OOM {
		m.advice = m.advice.OutOfMemory(c.Limits.Memory > 0)
	}
	return m
}

// exitText is how the process of a container has ended.
func exitText(c api.Container) string {
	switch exit := c.LastExit; {
	case exit.OOM && c.Limits.Memory > 0:
		return fmt.Sprintf("the kernel ended it for memory, of which its limit is %s", desired.FormatSize(c.Limits.Memory))
	case exit.OOM:
		return "the kernel ended it for memory"
	case exit.Signal != "":
		return "it was ended by " + exit.Signal
	default:
		return fmt.Sprintf("its exit code was %d", exit.Code)
	}
}
