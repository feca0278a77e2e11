package desired

import (
	"maps"
	"slices"
	"time"
)

// Power is what the process of a container should be doing.
type Power string

// The two values of Power.
const (
	PowerRunning Power = "running"
	PowerStopped Power = "stopped"
)

// RestartPolicy decides whether a process that ended by itself is started again.
type RestartPolicy string

// The three values of RestartPolicy.
const (
	RestartAlways    RestartPolicy = "always"
	RestartOnFailure RestartPolicy = "on-failure"
	RestartNever     RestartPolicy = "never"
)

// ImagePolicy decides what happens when a tag is moved to another image.
type ImagePolicy string

// The two values of ImagePolicy.
const (
	ImagePinned ImagePolicy = "pinned"
	ImageFollow ImagePolicy = "follow"
)

// ImagePull decides when the registry of an image is asked for it.
type ImagePull string

// The three values of ImagePull, in the words of Compose.
const (
	ImagePullMissing ImagePull = "missing"
	ImagePullAlways  ImagePull = "always"
	ImagePullNever   ImagePull = "never"
)

// QuotaPolicy decides what happens while a volume is over its quota.
type QuotaPolicy string

// The two values of QuotaPolicy.
const (
	QuotaTell QuotaPolicy = "tell"
	QuotaStop QuotaPolicy = "stop"
)

// Limits bounds the resources of a container.
type Limits struct {
	// Memory is in bytes; 0 is no limit.
	Memory int64 `json:"memory"`
	// CPU is in cores, of which a fraction may be given; 0 is no limit. See Within.
	CPU float64 `json:"cpu"`
	// Swap is in bytes beyond Memory, 0 for none and UnlimitedSwap for all that the host has; it has no meaning
	// without Memory. Docker's own --memory-swap is the sum of both.
	Swap int64 `json:"swap"`
	// PIDs is a count of processes and threads.
	PIDs int64 `json:"pids"`
	// CPUSet are the CPUs that it may run on, as in "0-3,5"; empty is all.
	CPUSet string `json:"cpuset"`
	// IOWeight is its share of the disks under load, from 10 to 1000; 0 is what the kernel gives all.
	IOWeight int64 `json:"io_weight"`
	// MemoryReservation is in bytes: what it is left with longest when the host runs out of memory; 0 is none.
	MemoryReservation int64 `json:"memory_reservation"`
	// OOMDisable has its processes wait for memory at its limit, and not be killed. It has no meaning without Memory.
	OOMDisable bool `json:"oom_disable"`
}

// UnlimitedSwap is the Limits.Swap of a container that may have all the swap of the host.
const UnlimitedSwap = -1

// Within returns l as a host with so many cores can have it: more are all of them. 0 cores are not known.
func (l Limits) Within(cores int) Limits {
	if cores > 0 {
		l.CPU = min(l.CPU, float64(cores))
	}
	return l
}

// Stop is how a container is stopped before it is killed.
type Stop struct {
	// Signal is a signal name as in "SIGTERM"; empty stands for the image's own, and where
	// that names none for DefaultStopSignal.
	Signal string `json:"signal"`
	// Command, when set, comes before the signal: a line for the standard input, or the
	// notation of a signal (see CommandSignal).
	Command string `json:"command"`
	// Timeout is how long the process may take before SIGKILL. Command and Signal share it.
	Timeout Duration `json:"timeout"`
}

// Spec is what a client wants a container to be. The zero value is not a
// valid spec: DefaultSpec gives the values of fields that a client leaves out.
// A Spec that has been stored is never changed in place; Clone first.
type Spec struct {
	InternalID     string            `json:"internal_id"`
	Image          string            `json:"image"`
	VolumeID       string            `json:"volume_id"`
	StartupCommand string            `json:"startup_command"`
	StartPattern   string            `json:"start_pattern"`
	Ports          []Port            `json:"ports"`
	Limits         Limits            `json:"limits"`
	Mount          map[string]Mount  `json:"mount"` // container path to host path
	InstallScript  string            `json:"install_script"`
	Power          Power             `json:"power,omitempty"` // nothing leaves it as it is, stopped at first
	Env            map[string]string `json:"env"`
	Labels         map[string]string `json:"labels"`
	Stop           Stop              `json:"stop"`
	Restart        RestartPolicy     `json:"restart"`
	User           string            `json:"user"`
	Hostname       string            `json:"hostname"` // see HostnameOrDefault
	ReadOnly       bool              `json:"read_only"`
	Tmpfs          map[string]string `json:"tmpfs"`   // container path to size, as in "64m"
	Network        string            `json:"network"` // nothing for NetworkDefault
	TTY            bool              `json:"tty"`
	Init           bool              `json:"init"`
	ImagePolicy    ImagePolicy       `json:"image_policy"`
	ImagePull      ImagePull         `json:"image_pull"`
	Paused         bool              `json:"paused"`
	Suspended      bool              `json:"suspended"`
	Health         *Health           `json:"health"`  // nothing for no check
	Install        *Install          `json:"install"` // the long form of InstallScript
	QuotaExceeded  QuotaPolicy       `json:"quota_exceeded"`
}

// DefaultSpec returns a spec with the contract's default in every optional field.
// Decoding a client's JSON over it leaves the defaults where the client is silent.
func DefaultSpec() Spec {
	return Spec{
		Ports:         []Port{},
		Limits:        Limits{PIDs: 512},
		Mount:         map[string]Mount{},
		Tmpfs:         map[string]string{},
		Power:         PowerStopped,
		Env:           map[string]string{},
		Labels:        map[string]string{},
		Stop:          Stop{Timeout: Duration(10 * time.Second)},
		Restart:       RestartOnFailure,
		TTY:           true,
		Init:          true,
		ImagePolicy:   ImagePinned,
		ImagePull:     ImagePullMissing,
		QuotaExceeded: QuotaTell,
	}
}

// Equal reports whether s and other are equal, field by field; nothing and an empty list
// or map are the same.
func (s Spec) Equal(other Spec) bool {
	return s.InternalID == other.InternalID && s.Image == other.Image && s.VolumeID == other.VolumeID &&
		s.StartupCommand == other.StartupCommand && s.StartPattern == other.StartPattern &&
		slices.Equal(s.Ports, other.Ports) && s.Limits == other.Limits && maps.Equal(s.Mount, other.Mount) &&
		s.InstallScript == other.InstallScript && s.Power == other.Power &&
		maps.Equal(s.Env, other.Env) && maps.Equal(s.Labels, other.Labels) && s.Stop == other.Stop &&
		s.Restart == other.Restart && s.User == other.User && s.Hostname == other.Hostname &&
		s.ReadOnly == other.ReadOnly && maps.Equal(s.Tmpfs, other.Tmpfs) && s.Network == other.Network && s.TTY == other.TTY && s.Init == other.Init &&
		s.ImagePolicy == other.ImagePolicy && s.ImagePull == other.ImagePull && s.Paused == other.Paused && s.Suspended == other.Suspended && s.Health.Equal(other.Health) &&
		s.Install.Equal(other.Install) && s.QuotaExceeded == other.QuotaExceeded
}

// EffectivePower is what the process should be doing now: what Power says, unless the container is suspended.
func (s Spec) EffectivePower() Power {
	if s.Suspended {
		return PowerStopped
	}
	return s.Power
}

// Clone returns a copy that shares no memory with s.
func (s Spec) Clone() Spec {
	s.Ports = slices.Clone(s.Ports)
	s.Mount = maps.Clone(s.Mount)
	s.Tmpfs = maps.Clone(s.Tmpfs)
	s.Env = maps.Clone(s.Env)
	s.Labels = maps.Clone(s.Labels)
	s.Health = s.Health.clone()
	s.Install = s.Install.clone()
	return s
}

// Requests counts the one-shot requests for a container. A status holds the last count that
// was handled, so that even a request is a level that is compared, and happens once whatever
// is lost or repeated on the way.
type Requests struct {
	// Install is 1 from creation on; a reinstall, or a change of the image of a
	// container that has an install script, raises it.
	Install int64 `json:"install"`
	// Restart is raised by a restart.
	Restart int64 `json:"restart"`
	// Start is raised by a start of what is not starting or running: it ends a
	// backoff, and the rest after a `never` that ended.
	Start int64 `json:"start"`
}

// Container is a stored spec with what the store keeps beside it. Values that the
// store returns are shared and read-only; Clone before changing one.
type Container struct {
	Spec
	// Generation counts the changes of the spec and of the requests; the first is 1.
	Generation int64 `json:"generation"`
	// Revision is the store's number of the transaction that wrote this value.
	Revision  uint64    `json:"revision"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Requests  Requests  `json:"requests"`
	// Kill removes the grace from the stop that Power or a suspension requests.
	Kill bool `json:"kill"`
	// Grace takes the place of Stop.Timeout in the stop that Power requests; nil for none.
	Grace *Duration `json:"grace,omitempty"`
	// Deleting marks a container that is to be removed; no spec write follows it.
	Deleting bool `json:"deleting"`
	// Releasing are ports that the spec names no longer, and that stay claimed
	// until no container binds them.
	Releasing []Port `json:"releasing"`
	// Specs are the generations with which the specs began that are kept, the oldest first and the present one
	// last, and SpecAt is when that was; empty of a container from before they were kept.
	Specs  []int64   `json:"specs,omitempty"`
	SpecAt time.Time `json:"spec_at,omitzero"`
}

// Clone returns a copy that shares no memory with c.
func (c Container) Clone() Container {
	c.Spec = c.Spec.Clone()
	c.Releasing = slices.Clone(c.Releasing)
	c.Specs = slices.Clone(c.Specs)
	if c.Grace != nil {
		grace := *c.Grace
		c.Grace = &grace
	}
	return c
}

// StopTimeout is how long the process may take to end before SIGKILL.
func (c Container) StopTimeout() time.Duration {
	if c.Grace != nil && c.Power == PowerStopped {
		return time.Duration(*c.Grace)
	}
	return time.Duration(c.Stop.Timeout)
}

// Action is what a write did to a container.
type Action string

// The actions.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
	Deleted   Action = "deleted"
)
