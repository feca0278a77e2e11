package status

import (
	"maps"
	"slices"
	"time"

	"lightd/desired"
	"lightd/observed"
)

// Process is what is recorded of the process of the runtime container.
type Process struct {
	// Run is the run last observed, Matched the one whose start pattern has matched,
	// Ended the one whose end was recorded.
	Run     RunID `json:"run"`
	Matched RunID `json:"matched"`
	Ended   RunID `json:"ended"`
	// Starting holds the run before a start that was requested and not yet observed:
	// another one is the evidence that the start happened.
	Starting *RunID `json:"starting,omitempty"`
	// Stopping is the stop in progress.
	Stopping *StopRequest `json:"stopping,omitempty"`
	LastExit *Exit        `json:"last_exit"`
	// RunSeen is when Run was first seen, by this machine's clock, and StartGeneration the
	// generation whose start it followed. EarlyExit is the generation whose start last ended
	// within Settled, unasked; 0 once a process has lasted longer.
	RunSeen         time.Time `json:"run_seen,omitzero"`
	StartGeneration int64     `json:"start_generation,omitempty"`
	EarlyExit       int64     `json:"early_exit,omitempty"`
	// PIDsLimitReached is the last run that was observed at its limit of processes.
	PIDsLimitReached RunID `json:"pids_limit_reached,omitzero"`
	// Pause is the pause of a container by another client; nil while none is paused.
	Pause *Pause `json:"pause,omitempty"`
}

func (p Process) clone() Process {
	p.Starting = clonePtr(p.Starting)
	p.Stopping = clonePtr(p.Stopping)
	p.LastExit = clonePtr(p.LastExit)
	p.Pause = clonePtr(p.Pause)
	return p
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
	// Run is the run that is to end.
	Run RunID `json:"run"`
	// At is when it was requested, Timeout how long it may take before it is killed.
	At      time.Time     `json:"at"`
	Timeout time.Duration `json:"timeout"`
	// Reason is why.
	Reason string `json:"reason"`
	// Rung is the means that was used last, RungAt when, and Signal the signal of it.
	// They are empty in a record of an older version.
	Rung   StopRung  `json:"rung,omitempty"`
	RungAt time.Time `json:"rung_at,omitzero"`
	Signal string    `json:"signal,omitempty"`
	// Sent is set after the signal or command of the rung was delivered: until then it is
	// sent again. Unread is set when the program did not take the command: the next rung
	// need not wait for its time.
	Sent   bool `json:"sent,omitempty"`
	Unread bool `json:"unread,omitempty"`
	// Unhealthy is true of a stop because the health check failed: its end counts as a crash.
	Unhealthy bool `json:"unhealthy,omitempty"`
	// Killed is set before SIGKILL is sent, KilledAt after it was.
	Killed   bool      `json:"killed,omitempty"`
	KilledAt time.Time `json:"killed_at,omitzero"`
}

// Exit is how a process ended.
type Exit struct {
	Code   int       `json:"code"`
	Signal string    `json:"signal"`
	OOM    bool      `json:"oom"`
	At     time.Time `json:"at"`
}

func (e *Exit) same(other *Exit) bool {
	if e == nil || other == nil {
		return e == other
	}
	return e.Code == other.Code && e.Signal == other.Signal && e.OOM == other.OOM && e.At.Equal(other.At)
}

// Pause is a pause of a container from outside of Lightd.
type Pause struct {
	// Run is the run that is paused, Since when that was first observed.
	Run   RunID     `json:"run"`
	Since time.Time `json:"since"`
}

// Requests are the requests of clients that were handled, or are under way.
type Requests struct {
	// StartHandled and RestartHandled are the last requests that were handled.
	StartHandled   int64 `json:"start_handled"`
	RestartHandled int64 `json:"restart_handled"`
	// Restarting is the run that a restart in progress is to end: another one is
	// the evidence that RestartRequest was met.
	Restarting     *RunID `json:"restarting,omitempty"`
	RestartRequest int64  `json:"restart_request,omitempty"`
}

// Backoff is what the restart policy and the backoff of crashes rest on.
type Backoff struct {
	// Completed is true when the restart policy leaves the ended process at rest.
	Completed bool `json:"rest,omitempty"`
	// Crashes counts the exits in a row that call for a backoff, CrashingSince is when the first of
	// them was observed (zero in a record of an older version), NotBefore when the next start may happen.
	Crashes       int       `json:"crashes,omitempty"`
	CrashingSince time.Time `json:"crashing_since,omitzero"`
	NotBefore     time.Time `json:"not_before,omitzero"`
	// CrashesBeforeEngineLoss is what to go back to if the engine is lost too: it may have
	// been what ended the process.
	CrashesBeforeEngineLoss *CrashesBeforeEngineLoss `json:"doubt,omitempty"`
	// Restarts counts the starts that followed an exit that was not requested.
	Restarts int `json:"restarts"`
}

// Reset drops the recorded crashes, so that the next start happens at once.
func (b *Backoff) Reset() { *b = Backoff{Restarts: b.Restarts} }

// CrashesBeforeEngineLoss is the count of crashes before those that an engine may have caused by going down,
// and when they began.
type CrashesBeforeEngineLoss struct {
	Since   time.Time `json:"since"`
	Crashes int       `json:"crashes"`
}

// Refusal is the generation that the engine refuses.
type Refusal struct {
	// FailedGeneration is a generation that the engine refused terminally, FailedBy what was
	// found to be at fault. A refusal without one was recorded before causes in the spec and on
	// the host were distinguished: it is tried once more.
	FailedGeneration int64  `json:"failed_generation,omitempty"`
	FailedBy         string `json:"failed_by,omitempty"`
	// FailedImage is the id of the image that FailedGeneration cannot run from; empty when it was
	// not the image that was at fault.
	FailedImage string `json:"failed_image,omitempty"`
	// ReplacedGeneration is the last generation for which a container was recreated because the
	// engine refused to start it and it differed from its spec.
	ReplacedGeneration int64 `json:"replaced_generation,omitempty"`
	// Remains counts the starts that the engine refused for remains of an earlier run; nil once a process runs.
	Remains *Remains `json:"remains,omitempty"`
	// ImageGeneration is the generation for which the image was last pulled or loaded. A later one
	// does not wait for the next try.
	ImageGeneration int64 `json:"image_generation,omitempty"`
}

func (r Refusal) clone() Refusal {
	r.Remains = clonePtr(r.Remains)
	return r
}

// Remains are what the engine has left of an earlier run of a container, for which it does not start it.
type Remains struct {
	ContainerID string `json:"container_id"`
	// Refused counts the starts of that container that were refused.
	Refused int `json:"refused"`
	// Recreated is true when a container before this one was recreated for its remains, which happens once only:
	// another id has none, so that a refusal that goes on has another cause.
	Recreated bool `json:"recreated,omitempty"`
}

// FailedBySpec is the fault of a spec that the engine refuses.
const FailedBySpec = "spec"

// Mounts is what is known of what was really mounted in the process.
type Mounts struct {
	// MountsUnverified is the run whose mounts are still to be compared with the host,
	// MountsVerified the last one whose mounts were.
	MountsUnverified *RunID `json:"mounts_unverified,omitempty"`
	MountsVerified   RunID  `json:"mounts_verified,omitzero"`
	// MountedDirs are our own directories as that run has them mounted, by their targets. It is
	// empty where they could not be inspected.
	MountedDirs map[string]observed.FileID `json:"mounted_dirs,omitempty"`
	// MountEscape is what was found where a mount led elsewhere; nil once a later start was
	// verified, or the spec has changed.
	MountEscape *MountEscape `json:"mount_escape,omitempty"`
}

func (m Mounts) clone() Mounts {
	m.MountsUnverified = clonePtr(m.MountsUnverified)
	m.MountedDirs = maps.Clone(m.MountedDirs)
	m.MountEscape = clonePtr(m.MountEscape)
	return m
}

// MountEscape is a mount that led to another place of the host than its source.
type MountEscape struct {
	// Run is the run that was ended for it, Generation the spec that it was started for.
	Run        RunID `json:"run"`
	Generation int64 `json:"generation"`
	// Target is where it is in the container, Source the path in the spec, Found what was there.
	Target string `json:"target"`
	Source string `json:"source"`
	Found  string `json:"found"`
	// Count is how often in a row that was so, NotBefore when the next start may happen.
	Count     int       `json:"count"`
	NotBefore time.Time `json:"not_before"`
}

// Drift is what differs from the spec, and what was tried against it.
type Drift struct {
	// Differs is since when what differs from the spec does, by the path of the field.
	Differs map[string]time.Time `json:"differs,omitempty"`
	// Replacing is why the run container is being removed, so that its absence
	// does not count as a loss.
	Replacing string `json:"replacing,omitempty"`
	// IneffectiveFixes names the differences for which the container was recreated, until they are
	// gone: it is not recreated for the same ones again. RecreatedFrom is the container that was
	// to be replaced: while it is still there nothing has been tried.
	IneffectiveFixes []string `json:"futile,omitempty"`
	RecreatedFrom    string   `json:"replaced,omitempty"`
	// LimitUpdates counts the updates of limits that had no effect yet; nil once the limits are as
	// specified.
	LimitUpdates *LimitUpdates `json:"limit_updates,omitempty"`
	// DiscardedLimits are those that the engine discards some of; nil where it does not.
	DiscardedLimits *DiscardedLimits `json:"discarded_limits,omitempty"`
	// UnlimitedSwap is the container that has swap without limit because the spec says so: an engine without swap
	// accounting shows the same of every one.
	UnlimitedSwap string `json:"unlimited_swap,omitempty"`
}

func (d Drift) clone() Drift {
	d.Differs = maps.Clone(d.Differs)
	d.IneffectiveFixes = slices.Clone(d.IneffectiveFixes)
	d.LimitUpdates = clonePtr(d.LimitUpdates)
	d.DiscardedLimits = clonePtr(d.DiscardedLimits)
	return d
}

// LimitUpdates are updates of the limits of one container for one generation.
type LimitUpdates struct {
	ContainerID string `json:"container_id"`
	Generation  int64  `json:"generation"`
	Count       int    `json:"count"`
	// At is when the last one was made.
	At time.Time `json:"at"`
}

// DiscardedLimits are limits that an engine was asked for, of which it shows some as if they were none: its kernel does not
// support them.
type DiscardedLimits struct {
	ContainerID string         `json:"container_id"`
	Limits      desired.Limits `json:"limits"`
	At          time.Time      `json:"at"`
}

// Announced is what events have reported, so that each reports it once.
type Announced struct {
	// Pulling is the image reference whose pull was reported and has not ended well yet.
	Pulling string `json:"pulling,omitempty"`
	// RebindGeneration is the last generation whose RebindStarted was reported.
	RebindGeneration int64 `json:"rebind_generation,omitempty"`
	// Deleting is set when the deletion was reported.
	Deleting bool `json:"deleting,omitempty"`
	// Suspended is set while a suspension was reported and not its end.
	Suspended bool `json:"suspended,omitempty"`
	// Reported is what was last reported of a process that runs otherwise than specified, by the
	// reason, until one runs as specified: each run of a crash loop would report it again.
	Reported map[Reason]string `json:"reported,omitempty"`
}
