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

// State is what the process is doing.
type State string

// The recorded states. StateUnknown is never recorded: it is what a reader gets
// while the engine is unreachable.
const (
	StateOffline  State = "offline"
	StateStarting State = "starting"
	StateRunning  State = "running"
	StateStopping State = "stopping"
	StateBackOff  State = "backoff"
	StateUnknown  State = "unknown"
)

// InstallPhase is how far the installation under way has come. Phases only advance
// within one installation request.
type InstallPhase string

// The phases of an installation, in order.
const (
	InstallPreparing  InstallPhase = "preparing"  // image, and the old container out of the way
	InstallCreating   InstallPhase = "creating"   // the first container was requested
	InstallCreated    InstallPhase = "created"    // and was seen
	InstallScript     InstallPhase = "script"     // the script was started, at most once
	InstallScripted   InstallPhase = "scripted"   // it ended well; output and changes are to be kept
	InstallKept       InstallPhase = "kept"       // they are
	InstallEntrypoint InstallPhase = "entrypoint" // the entry point is being written
	InstallDone       InstallPhase = "done"
	InstallFailed     InstallPhase = "failed"
)

// Settled is how long a process without a start pattern must be up before a wait for it
// succeeds.
const Settled = time.Second

// EngineStatus is whether Docker can be seen, and since when it can or cannot.
type EngineStatus struct {
	Up    bool      `json:"up"`
	Since time.Time `json:"since"`
}

// RunID identifies one run of one container: Docker gives each start a time of its own.
type RunID struct {
	ContainerID string    `json:"container_id,omitempty"`
	StartedAt   time.Time `json:"started_at,omitzero"`
}

// RunOf is the present or last run of a container; the zero value where there is none.
func RunOf(c *observed.Container) RunID {
	if c == nil {
		return RunID{}
	}
	return RunID{ContainerID: c.ContainerID, StartedAt: c.StartedAt}
}

// Is reports whether r and other are the same run.
func (r RunID) Is(other RunID) bool {
	return r.ContainerID == other.ContainerID && r.StartedAt.Equal(other.StartedAt)
}

// Install is the record of the installation under way, or of the last one.
type Install struct {
	// Request is the number of the request that is under way or was handled.
	Request int64        `json:"request"`
	Phase   InstallPhase `json:"phase"`
	// Image is the reference that the script runs in, Script whether a script runs.
	Image  string `json:"image"`
	Script bool   `json:"script"`
	// Separate is true where Image is the installer's own: no snapshot is made of it, and the runtime
	// container is made from the image of the spec.
	Separate bool `json:"separate,omitempty"`
	// ContainerID is the container that runs the script; set before it is started.
	ContainerID string `json:"container_id,omitempty"`
	// ScriptAt is when the script was last to be started: its deadline counts from there, by
	// this machine's clock and, within one process of the daemon, by the monotonic one.
	ScriptAt time.Time `json:"script_at,omitzero"`
	// Unsure is set when the engine was asked to start the script and did not respond, NotStarted when the
	// last start has failed for sure.
	Unsure     bool `json:"unsure,omitempty"`
	NotStarted bool `json:"not_started,omitempty"`
	// TimedOut is set before the script's container is killed for its deadline.
	TimedOut bool `json:"timed_out,omitempty"`
	// LayerBytes is what the script's container has written outside of its mounts, as of the last
	// measurement; MeasuredAt is when that was last tried.
	LayerBytes int64     `json:"layer_bytes,omitempty"`
	MeasuredAt time.Time `json:"measured_at,omitzero"`
	// Measured is true once the measurement after the end of the script was made, or has failed.
	Measured bool `json:"measured,omitempty"`
	// Unmeasurable is how many measurements in a row have not come to an end in their time.
	Unmeasurable int `json:"unmeasurable,omitempty"`
	// LayerExceeded is the bound that the container wrote more than; 0 while it did not. It is set
	// before the container is killed for it.
	LayerExceeded int64 `json:"layer_exceeded,omitempty"`
	// DiskLow is why the script is ended for the room on the engine's disk; empty while it is not. It is
	// set before the container is killed.
	DiskLow string `json:"disk_low,omitempty"`
	// OOMReported is true once it is reported that the kernel killed a process of the script.
	OOMReported bool `json:"oom_reported,omitempty"`
	// OutputSaved is true once the script's output is in the container's data directory.
	OutputSaved bool `json:"output_saved,omitempty"`
	// MissingInterpreter is what the script names after its #! and the image lacks; it is
	// determined when the script could not be run.
	MissingInterpreter string `json:"missing_interpreter,omitempty"`
	// Snapshot is the image that holds what the script changed; empty when nothing was.
	Snapshot string `json:"snapshot,omitempty"`
	// CopyError is why there is no copy of it in the data directory; empty when there is one,
	// or none was tried.
	CopyError string `json:"copy_error,omitempty"`
}

// RunImage returns what the runtime container of a spec with that image is made from: the snapshot, unless the
// spec has another image by now than the one that the snapshot rests on.
func (i Install) RunImage(image string) string {
	if i.Snapshot != "" && (i.Image == image || i.Image == "") {
		return i.Snapshot
	}
	return image
}

// WroteTooMuch reports whether the script is ended, or its installation fails, for what it wrote.
func (i Install) WroteTooMuch() bool { return i.LayerExceeded > 0 || i.DiskLow != "" }

// ImagePull is that the registry is asked for an image once more, for a container that is to be made.
type ImagePull struct {
	// At is since when the container waits: a pull that ends later counts.
	At time.Time `json:"at"`
	// Done is true once the registry has answered, or could not be asked.
	Done bool `json:"done,omitempty"`
}

// Status is what the controller recorded of one container. It is the only writer.
// Values handed out are read-only; Clone before changing one.
type Status struct {
	InternalID string `json:"internal_id"`
	// Version counts the writes of this record: Put refuses one that does not follow the
	// last, so that no decision is recorded twice, or after its container was deleted.
	Version            uint64       `json:"version"`
	ObservedGeneration int64        `json:"observed_generation"`
	InstallState       InstallState `json:"install_state"`
	State              State        `json:"state"`
	Conditions         []Condition  `json:"conditions"`
	// ContainerID is the runtime container; empty while there is none.
	ContainerID string  `json:"container_id"`
	Install     Install `json:"install"`
	// CreationMark is the label of the containers whose creation was requested since the last one
	// was seen: no other new container is ours, whatever else it is labelled. It is random, and
	// recorded before the request.
	CreationMark string `json:"creation_mark,omitempty"`
	// ImagePulls are the pulls that the next container waits for, by the reference of the image,
	// where its spec has image_pull always.
	ImagePulls map[string]ImagePull `json:"image_pulls,omitempty"`

	// The groups are embedded: a record holds their fields beside those above.
	Process
	Requests
	Backoff
	Refusal
	Mounts
	Drift
	Announced
}

// EqualIgnoringVersion reports whether a reader of the interface sees the same in s as in other: all
// else that is recorded is internal.
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

// Clone returns a copy that shares no memory with s.
func (s Status) Clone() Status {
	s.Conditions = slices.Clone(s.Conditions)
	s.Process = s.Process.clone()
	s.Restarting = clonePtr(s.Restarting)
	s.CrashesBeforeEngineLoss = clonePtr(s.CrashesBeforeEngineLoss)
	s.Refusal = s.Refusal.clone()
	s.Mounts = s.Mounts.clone()
	s.Drift = s.Drift.clone()
	s.Reported = maps.Clone(s.Reported)
	s.ImagePulls = maps.Clone(s.ImagePulls)
	return s
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
