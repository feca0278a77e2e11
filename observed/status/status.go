package status

import (
	"maps"
	"slices"
	"time"

	"lightd/observed"
)

// InstallState is the published page's word for an installation.
type InstallState string

// The page's three words.
const (
	Installing InstallState = "installing"
	Ready      InstallState = "ready"
	Failed     InstallState = "failed"
)

// State says what the process is doing.
type State string

// The recorded states. StateUnknown is never recorded: it is what a reader is told
// while the engine cannot be seen.
const (
	StateOffline  State = "offline"
	StateStarting State = "starting"
	StateRunning  State = "running"
	StateStopping State = "stopping"
	StateBackOff  State = "backoff"
	StateUnknown  State = "unknown"
)

// InstallPhase is how far the installation in hand has come. Phases only advance
// within one installation request.
type InstallPhase string

// The phases of an installation, in order.
const (
	InstallPreparing  InstallPhase = "preparing"  // image, and the old container out of the way
	InstallCreating   InstallPhase = "creating"   // the first container was asked for
	InstallCreated    InstallPhase = "created"    // and was seen
	InstallScript     InstallPhase = "script"     // the script was started, at most once
	InstallScripted   InstallPhase = "scripted"   // it ended well; output and changes are to be kept
	InstallKept       InstallPhase = "kept"       // they are
	InstallEntrypoint InstallPhase = "entrypoint" // the entry point is being written
	InstallDone       InstallPhase = "done"
	InstallFailed     InstallPhase = "failed"
)

// Settled is how long a process without a start pattern must be up before somebody who waits
// for it counts on it.
const Settled = time.Second

// EngineStatus is whether Docker can be seen, and since when it can or cannot.
type EngineStatus struct {
	Up    bool      `json:"up"`
	Since time.Time `json:"since"`
}

// RunID identifies one life of one container: Docker gives each start a time of its own.
type RunID struct {
	ContainerID string    `json:"container_id,omitempty"`
	StartedAt   time.Time `json:"started_at,omitzero"`
}

// Is reports whether r and other are the same run.
func (r RunID) Is(other RunID) bool {
	return r.ContainerID == other.ContainerID && r.StartedAt.Equal(other.StartedAt)
}

// Install is the record of the installation in hand, or of the last one.
type Install struct {
	// Request is the number of the request that is in hand or was dealt with.
	Request int64        `json:"request"`
	Phase   InstallPhase `json:"phase"`
	// Image is the reference it installs, Script whether a script runs.
	Image  string `json:"image"`
	Script bool   `json:"script"`
	// ContainerID is the container that runs the script; set before it is started.
	ContainerID string `json:"container_id,omitempty"`
	// ScriptAt is when the script was last to be started: its deadline counts from there, by
	// this machine's clock and, while the daemon lives, one that nobody can set.
	ScriptAt time.Time `json:"script_at,omitzero"`
	// Unsure is set when the script was to be started and the engine gave no answer.
	Unsure bool `json:"unsure,omitempty"`
	// TimedOut is set before the script's container is killed for its deadline.
	TimedOut bool `json:"timed_out,omitempty"`
	// OutputSaved is true once the script's output is in the container's data directory.
	OutputSaved bool `json:"output_saved,omitempty"`
	// MissingInterpreter is what the script names after its #! and the image lacks; it is looked
	// for when the script could not be run.
	MissingInterpreter string `json:"missing_interpreter,omitempty"`
	// Snapshot is the image that holds what the script changed; empty when nothing was.
	Snapshot string `json:"snapshot,omitempty"`
	// CopyError is why there is no copy of it in the data directory; empty when there is one,
	// or none was tried.
	CopyError string `json:"copy_error,omitempty"`
}

// StopRung is one of the means of a stop. A stop climbs from one to the next, and never back.
type StopRung string

// The rungs, in order. A stop without a command begins with the signal.
const (
	StopByCommand StopRung = "command"
	StopBySignal  StopRung = "signal"
	StopByKill    StopRung = "kill"
)

// StopRequest is the record of a stop in progress.
type StopRequest struct {
	// Run is the life that is to end.
	Run RunID `json:"run"`
	// At is when it was asked, Timeout how long it may take before it is killed.
	At      time.Time     `json:"at"`
	Timeout time.Duration `json:"timeout"`
	// Reason is why.
	Reason string `json:"reason"`
	// Rung is the means that was asked for last, RungAt when, and Signal the signal of it.
	// They are empty in a record of an older version.
	Rung   StopRung  `json:"rung,omitempty"`
	RungAt time.Time `json:"rung_at,omitzero"`
	Signal string    `json:"signal,omitempty"`
	// Sent is set after the signal or command of the rung was delivered: until then it is
	// sent again. Unread is set when the program did not take the command: the next rung
	// need not wait for its time.
	Sent   bool `json:"sent,omitempty"`
	Unread bool `json:"unread,omitempty"`
	// Killed is set before SIGKILL is sent, KilledAt after it was.
	Killed   bool      `json:"killed,omitempty"`
	KilledAt time.Time `json:"killed_at,omitzero"`
}

// CrashesBeforeEngineLoss is the count of crashes before those that an engine may have caused by going down,
// and when they began.
type CrashesBeforeEngineLoss struct {
	Since   time.Time `json:"since"`
	Crashes int       `json:"crashes"`
}

// Exit is how a process ended.
type Exit struct {
	Code   int       `json:"code"`
	Signal string    `json:"signal"`
	OOM    bool      `json:"oom"`
	At     time.Time `json:"at"`
}

// Status is what the controller recorded of one container. It is the only writer.
// Values handed out are read-only; Clone before changing one.
type Status struct {
	InternalID string `json:"internal_id"`
	// Version counts the writes of this record: Put refuses one that does not follow the
	// last, so that no decision is recorded twice, or after its container was forgotten.
	Version            uint64       `json:"version"`
	ObservedGeneration int64        `json:"observed_generation"`
	InstallState       InstallState `json:"install_state"`
	State              State        `json:"state"`
	Conditions         []Condition  `json:"conditions"`
	// ContainerID is the runtime container; empty while there is none.
	ContainerID string  `json:"container_id"`
	Install     Install `json:"install"`

	// Run is the life last seen, Matched the one whose start pattern has matched,
	// Ended the one whose end was recorded.
	Run     RunID `json:"run"`
	Matched RunID `json:"matched"`
	Ended   RunID `json:"ended"`
	// Starting holds the life before a start that was asked for and not yet seen:
	// another one is the evidence that the start happened.
	Starting *RunID `json:"starting,omitempty"`
	// Stopping is the stop in progress.
	Stopping *StopRequest `json:"stopping,omitempty"`
	// Replacing says why the runtime container is being removed, so that its absence
	// is not taken for a loss.
	Replacing string `json:"replacing,omitempty"`

	// StartHandled and RestartHandled are the requests that were dealt with.
	StartHandled   int64 `json:"start_handled"`
	RestartHandled int64 `json:"restart_handled"`
	// Restarting is the life that a restart in progress is to end: another one is
	// the evidence that RestartRequest was met.
	Restarting     *RunID `json:"restarting,omitempty"`
	RestartRequest int64  `json:"restart_request,omitempty"`

	// RunSeen is when Run was first seen, by this machine's clock, and StartGeneration the
	// generation whose start it followed. EarlyExit is the generation whose start last ended
	// within Settled, unasked; 0 once a process has lasted longer.
	RunSeen         time.Time `json:"run_seen,omitzero"`
	StartGeneration int64     `json:"start_generation,omitempty"`
	EarlyExit       int64     `json:"early_exit,omitempty"`

	// ImageGeneration is the generation for which the image was last pulled or loaded. A later one
	// does not wait for the next try.
	ImageGeneration int64 `json:"image_generation,omitempty"`

	// PIDsLimitReached is the last life that was seen at its limit of processes.
	PIDsLimitReached RunID `json:"pids_limit_reached,omitzero"`

	// Completed is true when the restart policy leaves the ended process at rest.
	Completed bool `json:"rest,omitempty"`
	// Crashes counts the exits in a row that call for a backoff, NotBefore is when
	// the next start may happen.
	Crashes   int       `json:"crashes,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	// CrashesBeforeEngineLoss is what to go back to if the engine goes away too: it may have been what ended
	// the process.
	CrashesBeforeEngineLoss *CrashesBeforeEngineLoss `json:"doubt,omitempty"`
	// Restarts counts the starts that followed an exit nobody asked for.
	Restarts int   `json:"restarts"`
	LastExit *Exit `json:"last_exit"`

	// Pulling is the image reference whose pull was told and has not ended well yet.
	Pulling string `json:"pulling,omitempty"`
	// RebindGeneration is the last generation whose RebindStarted was told.
	RebindGeneration int64 `json:"rebind_generation,omitempty"`
	// Deleting is set when the deletion was told.
	Deleting bool `json:"deleting,omitempty"`
	// FailedGeneration is a generation that the engine refused for good, FailedBy what was
	// found to be at fault. A refusal without one was recorded before that was told apart from
	// what the host lacks: it is tried once more.
	FailedGeneration int64  `json:"failed_generation,omitempty"`
	FailedBy         string `json:"failed_by,omitempty"`
	// FailedImage is the id of the image that FailedGeneration cannot run from; empty when it was
	// not the image that was at fault.
	FailedImage string `json:"failed_image,omitempty"`
	// ReplacedGeneration is the last generation for which a container was recreated because the
	// engine refused to start it and it differed from its spec.
	ReplacedGeneration int64 `json:"replaced_generation,omitempty"`

	// MountsUnverified is the life whose mounts are still to be compared with the host,
	// MountsVerified the last one whose mounts were.
	MountsUnverified *RunID `json:"mounts_unverified,omitempty"`
	MountsVerified   RunID  `json:"mounts_verified,omitzero"`
	// MountedDirs are our own directories as that life has them mounted, by their targets. It is
	// empty where they could not be inspected.
	MountedDirs map[string]observed.FileID `json:"mounted_dirs,omitempty"`
	// MountEscape is what was found where a mount led elsewhere; nil once a later start was
	// verified, or the spec has changed.
	MountEscape *MountEscape `json:"mount_escape,omitempty"`

	// Pause is the pause of a container by somebody; nil while none is paused.
	Pause *Pause `json:"pause,omitempty"`

	// Differs says since when what differs from the spec does, by the path of the field.
	Differs map[string]time.Time `json:"differs,omitempty"`
	// IneffectiveFixes names the differences for which the container was made anew, until they are
	// gone: it is not made anew for the same ones again. Replaced is the container that was
	// to make way: while it is still there nothing has been tried.
	IneffectiveFixes []string `json:"futile,omitempty"`
	RecreatedFrom    string   `json:"replaced,omitempty"`

	// LimitUpdates counts the updates of limits that had no effect yet; nil once the limits are as
	// specified.
	LimitUpdates *LimitUpdates `json:"limit_updates,omitempty"`
	// Reported is what was last reported of a process that runs otherwise than specified, by the
	// reason, until one runs as specified: each life of a crash loop would report it again.
	Reported map[Reason]string `json:"reported,omitempty"`
}

// LimitUpdates are updates of the limits of one container for one generation.
type LimitUpdates struct {
	ContainerID string `json:"container_id"`
	Generation  int64  `json:"generation"`
	Count       int    `json:"count"`
	// At is when the last one was made.
	At time.Time `json:"at"`
}

// MountEscape is a mount that led to another place of the host than its source.
type MountEscape struct {
	// Run is the life that was ended for it, Generation the spec that it was started for.
	Run        RunID `json:"run"`
	Generation int64 `json:"generation"`
	// Target is where it is in the container, Source what the spec says, Found what was there.
	Target string `json:"target"`
	Source string `json:"source"`
	Found  string `json:"found"`
	// Count is how often in a row that was so, NotBefore when the next start may happen.
	Count     int       `json:"count"`
	NotBefore time.Time `json:"not_before"`
}

// Pause is a pause of a container that somebody else made.
type Pause struct {
	// Run is the life that is paused, Since when that was first observed.
	Run   RunID     `json:"run"`
	Since time.Time `json:"since"`
}

// FailedBySpec is the fault of a spec that the engine refuses.
const FailedBySpec = "spec"

// EqualIgnoringVersion reports whether a reader of the interface sees the same in s as in other: what
// else is recorded is nobody's business.
func (s Status) EqualIgnoringVersion(other Status) bool {
	sameCondition := func(a, b Condition) bool {
		same := a.LastTransitionTime.Equal(b.LastTransitionTime)
		a.LastTransitionTime = b.LastTransitionTime
		return same && a == b
	}
	return s.ObservedGeneration == other.ObservedGeneration && s.InstallState == other.InstallState && s.State == other.State &&
		slices.EqualFunc(s.Conditions, other.Conditions, sameCondition) && s.ContainerID == other.ContainerID &&
		s.Install.Request == other.Install.Request && s.Restarts == other.Restarts && s.LastExit.same(other.LastExit)
}

func (e *Exit) same(other *Exit) bool {
	if e == nil || other == nil {
		return e == other
	}
	return e.Code == other.Code && e.Signal == other.Signal && e.OOM == other.OOM && e.At.Equal(other.At)
}

// Clone returns a copy that shares no memory with s.
func (s Status) Clone() Status {
	s.Conditions = slices.Clone(s.Conditions)
	s.Starting = clonePtr(s.Starting)
	s.Stopping = clonePtr(s.Stopping)
	s.Restarting = clonePtr(s.Restarting)
	s.LastExit = clonePtr(s.LastExit)
	s.CrashesBeforeEngineLoss = clonePtr(s.CrashesBeforeEngineLoss)
	s.MountsUnverified = clonePtr(s.MountsUnverified)
	s.MountEscape = clonePtr(s.MountEscape)
	s.MountedDirs = maps.Clone(s.MountedDirs)
	s.Pause = clonePtr(s.Pause)
	s.Differs = maps.Clone(s.Differs)
	s.IneffectiveFixes = slices.Clone(s.IneffectiveFixes)
	s.LimitUpdates = clonePtr(s.LimitUpdates)
	s.Reported = maps.Clone(s.Reported)
	return s
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
