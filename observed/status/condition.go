package status

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ConditionType names one aspect of a container's state.
type ConditionType string

// The conditions. Every container has the first three and Synced.
const (
	// Installed: the installation is complete.
	Installed ConditionType = "Installed"
	// ProcessStarted: the process is up.
	ProcessStarted ConditionType = "Started"
	// ProcessRunning: the process is up and its start pattern has matched.
	ProcessRunning ConditionType = "Running"
	// Healthy: the health check passes. Containers without one have it only to show the image's own.
	Healthy ConditionType = "Healthy"
	// Synced: Docker matches the spec.
	Synced ConditionType = "Synced"
	// QuotaExceeded: the volume is over its quota. Containers on a volume without one have it not.
	QuotaExceeded ConditionType = "QuotaExceeded"
	// DiskFull is shown while the disk of the data directory is full, and never recorded.
	DiskFull ConditionType = "DiskFull"
)

// ConditionStatus is the status of a condition.
type ConditionStatus string

// The three truths.
const (
	True    ConditionStatus = "True"
	False   ConditionStatus = "False"
	Unknown ConditionStatus = "Unknown"
)

// Reason is the stable word for why a condition is as it is.
type Reason string

// The reasons. Clients may rely on each word; messages are human-readable and may change.
const (
	// Installed
	ReasonInstalling          Reason = "Installing"
	ReasonInstalled           Reason = "Installed"
	ReasonInstallScriptFailed Reason = "InstallScriptFailed"
	ReasonInstallTimeout      Reason = "InstallTimeout"
	ReasonInstallInterrupted  Reason = "InstallInterrupted"

	// Started and Running
	ReasonStopped           Reason = "Stopped"
	ReasonSuspended         Reason = "Suspended"
	ReasonStarting          Reason = "Starting"
	ReasonStarted           Reason = "Started"
	ReasonStopping          Reason = "Stopping"
	ReasonExited            Reason = "Exited"
	ReasonBackOff           Reason = "BackOff"
	ReasonWaitingForPattern Reason = "WaitingForPattern"
	ReasonPatternMatched    Reason = "PatternMatched"
	ReasonNoPattern         Reason = "NoPattern"

	// Healthy
	ReasonProbing     Reason = "Probing"
	ReasonProbePassed Reason = "ProbePassed"
	ReasonProbeFailed Reason = "ProbeFailed"
	ReasonNotRunning  Reason = "NotRunning"
	ReasonNotProbed   Reason = "NotProbed"

	// QuotaExceeded, and of Started and Running where the spec says stop
	ReasonOverQuota   Reason = "OverQuota"
	ReasonWithinQuota Reason = "WithinQuota"
	ReasonNotMeasured Reason = "NotMeasured"

	// Synced
	ReasonSynced             Reason = "Synced"
	ReasonProgressing        Reason = "Progressing"
	ReasonPaused             Reason = "Paused"
	ReasonDeleting           Reason = "Deleting"
	ReasonEngineDown         Reason = "EngineUnavailable"
	ReasonStepFailed         Reason = "StepFailed"
	ReasonImageUnavailable   Reason = "ImageUnavailable"
	ReasonImageNotPresent    Reason = "ImageNotPresent"
	ReasonPortUnavailable    Reason = "PortUnavailable"
	ReasonPortNotPublished   Reason = "PortNotPublished"
	ReasonLimitNotEnforced   Reason = "LimitNotEnforced"
	ReasonMountUnavailable   Reason = "MountUnavailable"
	ReasonNetworkUnavailable Reason = "NetworkUnavailable"
	ReasonMountEscaped       Reason = "MountEscaped"
	ReasonNameTaken          Reason = "NameTaken"
	ReasonRefused            Reason = "RefusedByEngine"
	ReasonImageUnsuitable    Reason = "ImageUnsuitable"
	ReasonImageNotAllowed    Reason = "ImageNotAllowed"
	ReasonInstallFailed      Reason = "InstallationFailed"
	ReasonInstallLost        Reason = "InstallationLost"
	ReasonDiskFull           Reason = "DiskFull"

	// Synced, and of Started and Running where the process would be started
	ReasonNodeCordoned Reason = "NodeCordoned"
	ReasonNodeDrained  Reason = "NodeDrained"

	// DiskFull
	ReasonRecording  Reason = "Recording"
	ReasonUnrecorded Reason = "Unrecorded"
)

// GivenUp reports whether r means that nothing is tried until the spec, or its image, is another one.
func (r Reason) GivenUp() bool { return r == ReasonRefused || r == ReasonImageUnsuitable }

// HeldByNode reports whether r means that what is missing waits until the node is uncordoned.
func (r Reason) HeldByNode() bool { return r == ReasonNodeCordoned || r == ReasonNodeDrained }

// Condition is one question and its present answer.
type Condition struct {
	Type               ConditionType   `json:"type"`
	Status             ConditionStatus `json:"status"`
	Reason             Reason          `json:"reason"`
	Message            string          `json:"message"`
	ObservedGeneration int64           `json:"observed_generation"`
	LastTransitionTime time.Time       `json:"last_transition_time"`
}

// maxMessage bounds the text of an external error that a condition carries, in bytes.
const maxMessage = 1024

// Set replaces the condition of c's type, in the order of types. The transition time
// stays unless the status or the reason changed. It reports whether anything that a reader
// sees has changed. install_state follows from the condition Installed: InstallState is
// written nowhere else.
func (s *Status) Set(c Condition, now time.Time) bool {
	c.Message = clip(c.Message)
	if c.Type == Installed {
		s.InstallState = installStateOf(c)
	}
	at, found := slices.BinarySearchFunc(s.Conditions, c.Type, func(have Condition, t ConditionType) int {
		return strings.Compare(string(have.Type), string(t))
	})
	if !found {
		c.LastTransitionTime = now
		s.Conditions = slices.Insert(s.Conditions, at, c)
		return true
	}
	have := s.Conditions[at]
	c.LastTransitionTime = have.LastTransitionTime
	if have == c {
		return false
	}
	if have.Status != c.Status || have.Reason != c.Reason {
		c.LastTransitionTime = now
	}
	s.Conditions[at] = c
	return true
}

// Remove drops the condition of a type.
func (s *Status) Remove(t ConditionType) {
	if s.Get(t).Type != "" {
		s.Conditions = slices.DeleteFunc(slices.Clone(s.Conditions), func(c Condition) bool { return c.Type == t })
	}
}

// installStateOf is the page's word for the condition Installed.
func installStateOf(c Condition) InstallState {
	switch {
	case c.Status == True:
		return Ready
	case c.Status == False && c.Reason != ReasonInstalling:
		return Failed
	}
	return Installing
}

// Get returns the condition of type t; the zero Condition when there is none.
func (s Status) Get(t ConditionType) Condition {
	for _, c := range s.Conditions {
		if c.Type == t {
			return c
		}
	}
	return Condition{}
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
