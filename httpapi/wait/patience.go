package wait

import (
	"time"

	"lightd/controller/plan"
	"lightd/httpapi/api"
	"lightd/observed"
	"lightd/observed/status"
)

const (
	// never is the patience with what ends by itself, or is judged by a rule of its own.
	never = -1
	// triedTwice is the patience with what is looked at again and again while somebody may put it right: by
	// then it was looked at twice since the wait began. Some of it comes and goes, as a port that the engine frees
	// a moment after the process that had it.
	triedTwice = plan.BlockedRetry + 5*time.Second
)

// patience is how long a reason must have stood since a wait began for the wait to end in vain: what it names needs
// somebody's hand, or another write. Every reason has a row.
var patience = map[status.Reason]time.Duration{
	status.ReasonPaused:           0,
	status.ReasonRefused:          0,
	status.ReasonImageUnsuitable:  0,
	status.ReasonInstallLost:      0,
	status.ReasonNodeCordoned:     0,
	status.ReasonNodeDrained:      0,
	status.ReasonImageUnavailable: 0, // where the fault lasts; see left

	status.ReasonImageNotPresent:    triedTwice,
	status.ReasonOverQuota:          triedTwice,
	status.ReasonPortUnavailable:    triedTwice,
	status.ReasonPortNotPublished:   triedTwice,
	status.ReasonLimitNotEnforced:   triedTwice,
	status.ReasonMountUnavailable:   triedTwice,
	status.ReasonMountEscaped:       triedTwice,
	status.ReasonNetworkUnavailable: triedTwice,
	status.ReasonNameTaken:          triedTwice,
	status.ReasonImageNotAllowed:    triedTwice,

	// What ends by itself.
	status.ReasonProgressing:       never,
	status.ReasonEngineDown:        never,
	status.ReasonStepFailed:        never,
	status.ReasonBackOff:           never,
	status.ReasonDiskFull:          never,
	status.ReasonWaitingForPattern: never, // the line may come yet: there is no time by which it must
	status.ReasonInstalling:        never,
	status.ReasonStarting:          never,
	status.ReasonStopping:          never,
	status.ReasonProbing:           never,
	status.ReasonNotProbed:         never,
	status.ReasonNotRunning:        never,
	status.ReasonProbeFailed:       never,
	status.ReasonNotMeasured:       never,
	status.ReasonRecording:         never,
	status.ReasonUnrecorded:        never,

	// What failed and ended have rules for.
	status.ReasonInstallScriptFailed: never,
	status.ReasonInstallTimeout:      never,
	status.ReasonInstallInterrupted:  never,
	status.ReasonInstallFailed:       never,
	status.ReasonExited:              never,
	status.ReasonStopped:             never,
	status.ReasonSuspended:           never,
	status.ReasonDeleting:            never,

	// What is as it should be.
	status.ReasonInstalled:      never,
	status.ReasonStarted:        never,
	status.ReasonPatternMatched: never,
	status.ReasonNoPattern:      never,
	status.ReasonProbePassed:    never,
	status.ReasonWithinQuota:    never,
	status.ReasonSynced:         never,
}

// blocked is a verdict when c says of what was written that it needs somebody's hand.
func (t Target) blocked(s Observation, c status.Condition) Outcome {
	if left, hopeless := t.left(s, c); !hopeless || left > 0 {
		return Outcome{}
	}
	return because(c)
}

// left returns how long c must stand yet before it ends a wait; hopeless is false of one that never does.
func (t Target) left(s Observation, c status.Condition) (left time.Duration, hopeless bool) {
	bound, known := patience[c.Reason]
	if !known || bound == never || c.Status != status.False || !t.since(c) {
		return 0, false
	}
	switch {
	case c.Reason == status.ReasonImageUnavailable && !observed.PullFaultIn(c.Message).Lasting():
		return 0, false // the registry may be back at any time
	case c.Reason.HeldByNode() && !s.Cordoned:
		return 0, false // that has ended, and the container is reconciled soon
	}
	if bound == 0 {
		return 0, true
	}
	from := t.Began
	if c.LastTransitionTime.After(from) {
		from = c.LastTransitionTime
	}
	return from.Add(bound).Sub(s.Now), true
}

// patienceLeft returns after how long time alone may end a wait in vain; 0 for never.
func (t Target) patienceLeft(s Observation) time.Duration {
	if t.Goal == Gone || t.Goal == api.UntilStopped {
		return 0
	}
	var least time.Duration
	for _, kind := range []status.ConditionType{status.Synced, status.ProcessStarted} {
		if left, hopeless := t.left(s, s.Status.Get(kind)); hopeless && left > 0 && (least == 0 || left < least) {
			least = left
		}
	}
	return least
}
