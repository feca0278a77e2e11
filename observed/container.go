package observed

import (
	"strings"
	"time"

	"lightd/desired"
)

// Role distinguishes the two kinds of container that belong to one id.
type Role string

// The two roles, as the label lightd.role holds them.
const (
	RoleRun     Role = "run"
	RoleInstall Role = "install"
)

// Labels that every container of ours carries. They make each step safe to repeat: what is found
// with the mark of a requested creation is adopted, and what does not fit is removed. The others
// can be copied, and so can the mark once it was used.
const (
	LabelInstance   = "lightd.instance"   // the UUID of the data directory
	LabelID         = "lightd.id"         // the internal id
	LabelRole       = "lightd.role"       // a Role
	LabelGeneration = "lightd.generation" // of the spec that it was created from; informational
	LabelHash       = "lightd.spec-hash"  // desired.Spec.Hash
	LabelInstall    = "lightd.install"    // the number of the installation request
	LabelCommand    = "lightd.command"    // the startup command, which is in a file otherwise
	LabelCreation   = "lightd.creation"   // the mark that its creation was recorded with
	LabelGiven      = "lightd.given"      // what a Podman does not show of it as it was asked for

	// LabelOwnerEpoch identifies the owner of the instance that created it, and LabelOwner marks the
	// instance that has one; see package owner.
	LabelOwnerEpoch = "lightd.owner-epoch"
	LabelOwner      = "lightd.owner"
)

// LabelPrefix is what the names of our labels begin with.
const LabelPrefix = "lightd."

// What the names of our containers in Docker begin with.
const (
	runPrefix     = "lightd-"
	installPrefix = "lightd_install-"
)

// RunName is the name in Docker of the container of an id.
func RunName(id string) string { return runPrefix + id }

// InstallName is the name in Docker of the container in which the install script of an id runs.
func InstallName(id string) string { return installPrefix + id }

// ParseName reads back what RunName and InstallName make.
func ParseName(name string) (id string, role Role, ok bool) {
	if id, ok = strings.CutPrefix(name, runPrefix); ok {
		return id, RoleRun, true
	}
	id, ok = strings.CutPrefix(name, installPrefix)
	return id, RoleInstall, ok
}

// Phase is the state of a container as Docker words it.
type Phase string

// The phases of a container, after Docker's own State.Status.
const (
	Created    Phase = "created"
	Running    Phase = "running"
	Paused     Phase = "paused"
	Restarting Phase = "restarting"
	Removing   Phase = "removing"
	Exited     Phase = "exited"
	Dead       Phase = "dead"
)

// Mount is a path of the host in a container.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

// FileID identifies a file among all files of the host.
type FileID struct {
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
}

// String writes m as Docker's command line does, without the target.
func (m Mount) String() string {
	if m.ReadOnly {
		return m.Source + ":ro"
	}
	return m.Source
}

// Log is how Docker keeps the output of a container.
type Log struct {
	Driver  string `json:"driver"`
	MaxSize string `json:"max_size"`
	MaxFile string `json:"max_file"`
}

// Enforced are limits as the kernel has them; nil is one that cannot be read, and 0 is none.
type Enforced struct {
	Memory *int64   `json:"memory,omitempty"`
	CPU    *float64 `json:"cpu,omitempty"`
	PIDs   *int64   `json:"pids,omitempty"`
	// PIDsRefused counts the processes and threads that were refused for the limit in this run.
	PIDsRefused int64 `json:"pids_refused,omitempty"`
}

// Container is what Docker shows of one container of ours. Values are read-only.
type Container struct {
	ContainerID string
	// Name is without the leading slash.
	Name string
	Role Role
	// Labels are ours alone. Hash, Generation and Install are the labels of those names.
	Labels     map[string]string
	Hash       string
	Generation int64
	Install    int64

	State
	Config
}

// State is what changes with each run of the process.
type State struct {
	Phase Phase
	// StartedAt and FinishedAt are zero when it never started or never ended.
	StartedAt, FinishedAt time.Time
	ExitCode              int
	// PID is that of the process on the engine's host, 0 while none runs.
	PID       int
	OOMKilled bool
	// Unwatched is true when its end was found when the engine's events were followed
	// again, or for the first time: the engine may have been the cause, and it does not
	// count as a crash of the program. No clock decides it.
	Unwatched bool
	// EndRequested is true when the engine has reported a kill or a stop of the run that has ended: its
	// end is not the program's own doing, whatever its exit code.
	EndRequested bool
	// Enforced are the limits that the kernel holds the process to, nil while none runs, and
	// where they cannot be read.
	Enforced *Enforced
	// Endpoint names its connection to the first network. Docker makes another one at each
	// start; there is none while it does not run.
	Endpoint string
	// NetworkID is the first network that it was connected to when it last ran; empty when it never did.
	NetworkID string
	// Address is its own in that network; empty while it does not run.
	Address string
	// Published are the host's ports that the engine has bound for it; none while it does not run.
	Published []desired.Port
}

// Config is what the container was made with, or changed to since. Drift compares it.
type Config struct {
	// Image is the reference it was made from, ImageID what that was at the time.
	Image, ImageID string
	// Entrypoint, Cmd, Env, WorkingDir, User and StopSignal are what was given and, where
	// nothing was, what the image has; Env holds both.
	Entrypoint, Cmd, Env         []string
	WorkingDir, User, StopSignal string
	// Hostname is Docker's own choice, the first digits of its id, where none was given.
	Hostname string
	// TTY is true when its output is one stream, and false when Docker multiplexes two.
	TTY, OpenStdin, Init bool
	// Mounts are paths of the host, and volumes by their names.
	Mounts []Mount
	Limits desired.Limits
	// RestartPolicy is Docker's own.
	RestartPolicy string
	Log           Log
	// NetworkMode is the network that it was created on.
	NetworkMode string
	// Networks are those that it is connected to, or will be when it starts.
	Networks []string
	// Binds are the host's ports that it holds while it exists.
	Binds []desired.Port
	// ReadOnly is true when its root file system is, Tmpfs are its file systems in memory: the options
	// of each by its path.
	ReadOnly bool
	Tmpfs    map[string]string
	// Healthcheck is the command by which the engine probes it, as Docker words it: NoHealthcheck
	// in each container that Lightd makes.
	Healthcheck []string
	// Security is what separates it from the host.
	Security Security
}

// NoHealthcheck returns Docker's word for no probe, whatever the image declares.
func NoHealthcheck() []string { return []string{"NONE"} }

// Running reports whether the process of c exists.
func (c *Container) Running() bool {
	return c != nil && (c.Phase == Running || c.Phase == Paused || c.Phase == Restarting)
}

// Health is what the checks of a run have found; see package health. The zero value is nothing yet.
type Health struct {
	Known, Healthy bool
	// Message is why it is not healthy.
	Message string
}

// Snapshot is what is known of one id at one time. Nil containers do not exist.
type Snapshot struct {
	// Known is false until a query of Docker has succeeded since the engine was last reached.
	Known bool
	// At is when the query began: nothing done after At is reflected.
	At time.Time
	// EngineUp is true while the engine is reachable, EngineLost is when it was last lost, if
	// only for the moment that a restart takes: what ended shortly before may have been ended
	// by it.
	EngineUp   bool
	EngineLost time.Time
	// EngineStartedAfter is the latest time that the engine is known to have started after.
	EngineStartedAfter time.Time
	Run                *Container
	Install            *Container
	// RunNameTaken and InstallNameTaken are containers that have our names and are not
	// ours; nil when there are none.
	RunNameTaken     *Foreign
	InstallNameTaken *Foreign
}

// Foreign is a container that is not ours and in our way, or another Lightd's.
type Foreign struct {
	ContainerID string
	// Name is without the leading slash.
	Name string
	// InternalID and Instance identify the Lightd that created it, and for which id; they are empty
	// when none has, or this very one for something else.
	InternalID, Instance string
}

// Image is what is known of an image reference.
type Image struct {
	// Known is false until Docker was queried.
	Known   bool
	Present bool
	ImageID string
	// Tags are all names that the image has here.
	Tags []string
	// User, StopSignal, Env, Volumes and Healthcheck are what the image gives its containers: its
	// own USER, STOPSIGNAL, ENV, VOLUME and HEALTHCHECK.
	User, StopSignal          string
	Env, Volumes, Healthcheck []string
	// Pulling is true while a pull of the reference runs or waits for its turn.
	Pulling bool
	// PulledBytes and PullTotal are how far that pull has come: what was downloaded of the
	// layers whose size is known so far. Both are 0 until that is known.
	PulledBytes, PullTotal int64
	// PulledAt is when the last pull that succeeded ended; zero where this daemon has pulled nothing.
	PulledAt time.Time
	// PullError is what ended the last pull, in words of our own, and PullFailedAt when; empty after a
	// success.
	PullError string
	// PullForbidden is true when nothing was requested: images may not come from there.
	PullForbidden bool
	// PullRefused is true when the registry has answered, and gives nothing: the next answer will
	// hardly be another one.
	PullRefused  bool
	PullFailedAt time.Time
	// PullFailures counts the pulls that failed since one did not.
	PullFailures int
}

// SnapshotCopy is what is known of the copy of an image that keeps an installation.
type SnapshotCopy struct {
	// Present is true when the copy is in the data directory, Damaged when it was there and
	// is not what was saved.
	Present, Damaged bool
	// SaveError is why it could not be made; empty when it could, or was not tried yet.
	SaveError string
	// Loading is true while the image is loaded from it, or waits for its turn.
	Loading bool
	// LoadError is what ended the last load, and LoadFailedAt when; empty after a success.
	LoadError    string
	LoadFailedAt time.Time
}
