package journal

import (
	"log/slog"
	"time"
)

// Type names what happened. The first eight are the published page's, in its order.
type Type string

// The types of event.
const (
	Started               Type = "Started"
	CreatingContainer     Type = "CreatingContainer"
	ContainerCreated      Type = "ContainerCreated"
	RunningInstallScript  Type = "RunningInstallScript"
	InstallScriptComplete Type = "InstallScriptComplete"
	SettingUpEntrypoint   Type = "SettingUpEntrypoint"
	Ready                 Type = "Ready"
	Error                 Type = "Error"

	PullingImage         Type = "PullingImage"
	ImagePulled          Type = "ImagePulled"
	ReinstallStarted     Type = "ReinstallStarted"
	RebindStarted        Type = "RebindStarted"
	RemovingOldContainer Type = "RemovingOldContainer"
	LimitsUpdated        Type = "LimitsUpdated"
	Starting             Type = "Starting"
	Running              Type = "Running"
	Stopping             Type = "Stopping"
	Exited               Type = "Exited"
	OOMKilled            Type = "OOMKilled"
	// PIDsLimitReached is a process or thread that the kernel refused for the limit of them.
	PIDsLimitReached Type = "PIDsLimitReached"
	BackOff          Type = "BackOff"
	// Healthy and Unhealthy are the changes of what the health check finds.
	Healthy   Type = "Healthy"
	Unhealthy Type = "Unhealthy"
	// PullFailed, StepFailed and Blocked report the change of Synced to what their messages name:
	// a failed pull, an error of the engine, an obstacle that only an external change removes.
	PullFailed Type = "PullFailed"
	StepFailed Type = "StepFailed"
	Blocked    Type = "Blocked"
	// CreationWarning is what the engine warned of when it created a container, or changed its limits.
	CreationWarning Type = "CreationWarning"
	// VolumeOwnerChanged is a volume, with all that is in it, that was given to the user of the spec.
	VolumeOwnerChanged Type = "VolumeOwnerChanged"
	DriftDetected      Type = "DriftDetected"
	ContainerLost      Type = "ContainerLost"
	SnapshotNotCopied  Type = "SnapshotNotCopied"
	MountEscaped       Type = "MountEscaped"
	Suspended          Type = "Suspended"
	Unsuspended        Type = "Unsuspended"
	// QuotaExceeded and QuotaRecovered are the volume that is over its quota, and no longer.
	QuotaExceeded  Type = "QuotaExceeded"
	QuotaRecovered Type = "QuotaRecovered"
	Deleting       Type = "Deleting"
	Deleted        Type = "Deleted"

	// Those of the node, which have no container.
	DiskLow       Type = "DiskLow"
	DiskFull      Type = "DiskFull"
	DiskRecovered Type = "DiskRecovered"

	// ImageRemoved is an image that nothing needed any more.
	ImageRemoved Type = "ImageRemoved"

	FirewallMissing  Type = "FirewallMissing"
	FirewallRestored Type = "FirewallRestored"

	// NodeCordoned is a cordon that was written, or changed; NodeDrained a drain that left nothing running.
	NodeCordoned   Type = "NodeCordoned"
	NodeDrained    Type = "NodeDrained"
	NodeUncordoned Type = "NodeUncordoned"
)

// Types are all types of event.
var Types = []Type{
	Started, CreatingContainer, ContainerCreated, RunningInstallScript, InstallScriptComplete, SettingUpEntrypoint, Ready, Error,
	PullingImage, ImagePulled, ReinstallStarted, RebindStarted, RemovingOldContainer, LimitsUpdated, Starting, Running, Stopping, Exited, OOMKilled, PIDsLimitReached,
	BackOff, Healthy, Unhealthy, PullFailed, StepFailed, Blocked, CreationWarning, VolumeOwnerChanged, DriftDetected, ContainerLost, SnapshotNotCopied, MountEscaped, Suspended, Unsuspended, QuotaExceeded, QuotaRecovered, Deleting, Deleted, DiskLow, DiskFull, DiskRecovered, FirewallMissing, FirewallRestored,
	ImageRemoved, NodeCordoned, NodeDrained, NodeUncordoned,
}

// Event is one entry of the journal.
type Event struct {
	// Seq only grows, over all containers; the journal assigns it.
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// InternalID is the container, empty for an event of the node.
	InternalID string `json:"internal_id"`
	Type       Type   `json:"type"`
	Generation int64  `json:"generation"`
	Message    string `json:"message"`
	// Labels are those that the container of a Deleted had; nil for any other event.
	Labels map[string]string `json:"labels,omitempty"`
	// Failed is true of an end of the process that is a failure: it was not requested, and its
	// exit code is not 0. It decides how the event is logged, and is not stored.
	Failed bool `json:"-"`
}

// Level is how an event is logged: a terminal failure is an error, any other failure a warning. An
// ordinary event is for debugging, as the journal has it.
func (e Event) Level() slog.Level {
	switch e.Type {
	case Error, DiskFull:
		return slog.LevelError
	case PullFailed, StepFailed, Blocked, BackOff, Unhealthy, OOMKilled, PIDsLimitReached, ContainerLost, DriftDetected, SnapshotNotCopied, MountEscaped, DiskLow, FirewallMissing, FirewallRestored:
		return slog.LevelWarn
	case Exited:
		if e.Failed {
			return slog.LevelWarn
		}
	}
	return slog.LevelDebug
}
