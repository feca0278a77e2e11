package api

import (
	"time"

	"lightd/desired"
	"lightd/observed/status"
)

// Container is a container as GET shows it.
type Container struct {
	InternalID     string                   `json:"internal_id"`
	ContainerID    string                   `json:"container_id"`
	VolumeID       string                   `json:"volume_id"`
	Image          string                   `json:"image"`
	StartupCommand string                   `json:"startup_command"`
	StartPattern   string                   `json:"start_pattern"`
	InstallState   status.InstallState      `json:"install_state"`
	State          status.State             `json:"state"`
	Power          desired.Power            `json:"power"`
	Ports          []desired.Port           `json:"ports"`
	Limits         desired.Limits           `json:"limits"`
	Mount          map[string]desired.Mount `json:"mount"`
	InstallScript  string                   `json:"install_script"`
	Env            map[string]string        `json:"env"`
	// EnvHidden reports that the values of Env and Install.Env were left empty, as the token may not see them.
	EnvHidden          bool                  `json:"env_hidden,omitempty"`
	Labels             map[string]string     `json:"labels"`
	Stop               desired.Stop          `json:"stop"`
	Restart            desired.RestartPolicy `json:"restart"`
	User               string                `json:"user"`
	Hostname           string                `json:"hostname"`
	ReadOnly           bool                  `json:"read_only"`
	Tmpfs              map[string]string     `json:"tmpfs"`
	Network            string                `json:"network"`
	TTY                bool                  `json:"tty"`
	Init               bool                  `json:"init"`
	ImagePolicy        desired.ImagePolicy   `json:"image_policy"`
	ImagePull          desired.ImagePull     `json:"image_pull"`
	Paused             bool                  `json:"paused"`
	Suspended          bool                  `json:"suspended"`
	Health             *desired.Health       `json:"health"`
	Install            *desired.Install      `json:"install"`
	QuotaExceeded      desired.QuotaPolicy   `json:"quota_exceeded"`
	Generation         int64                 `json:"generation"`
	ObservedGeneration int64                 `json:"observed_generation"`
	Conditions         []status.Condition    `json:"conditions"`
	// Summary says in one sentence how it is, since when, what is done about it and what can be done.
	Summary  string       `json:"summary"`
	Restarts int          `json:"restarts"`
	LastExit *status.Exit `json:"last_exit"`
	// NextAttemptAt is when what has failed, or waits for somebody else, is tried again, and
	// Attempt the number of that try. Both are absent when nothing is, and from a watch: they
	// change with every try, of which no revision is made.
	NextAttemptAt time.Time `json:"next_attempt_at,omitzero"`
	Attempt       int       `json:"attempt,omitempty"`
	Deleting      bool      `json:"deleting"`
	CreatedAt     int64     `json:"created_at"`
	UpdatedAt     int64     `json:"updated_at"`
}

// Spec returns the part of c that a client writes. Where EnvHidden is true, its Env must not be written
// back: the values are missing.
func (c Container) Spec() desired.Spec {
	return desired.Spec{
		InternalID: c.InternalID, Image: c.Image, VolumeID: c.VolumeID, StartupCommand: c.StartupCommand,
		StartPattern: c.StartPattern, Ports: c.Ports, Limits: c.Limits, Mount: c.Mount, InstallScript: c.InstallScript,
		Power: c.Power, Env: c.Env, Labels: c.Labels, Stop: c.Stop, Restart: c.Restart, User: c.User, Hostname: c.Hostname, ReadOnly: c.ReadOnly, Tmpfs: c.Tmpfs, Network: c.Network,
		TTY: c.TTY, Init: c.Init, ImagePolicy: c.ImagePolicy, ImagePull: c.ImagePull, Paused: c.Paused, Suspended: c.Suspended, Health: c.Health, Install: c.Install,
		QuotaExceeded: c.QuotaExceeded,
	}
}

// WithoutEnv returns c with the names of its environment, and of that of its installation, alone. The maps of c
// stay as they are.
func (c Container) WithoutEnv() Container {
	spec, hidden := WithoutEnv(desired.Spec{Env: c.Env, Install: c.Install})
	c.Env, c.Install, c.EnvHidden = spec.Env, spec.Install, c.EnvHidden || hidden
	return c
}

// namesOf returns an environment without its values.
func namesOf(env map[string]string) map[string]string {
	names := make(map[string]string, len(env))
	for name := range env {
		names[name] = ""
	}
	return names
}

// Condition returns the condition of type t; the zero Condition when there is none.
func (c Container) Condition(t status.ConditionType) status.Condition {
	return status.Status{Conditions: c.Conditions}.Get(t)
}

// Summary is a container as a list shows it.
type Summary struct {
	InternalID         string              `json:"internal_id"`
	ContainerID        string              `json:"container_id"`
	InstallState       status.InstallState `json:"install_state"`
	Image              string              `json:"image"`
	VolumeID           string              `json:"volume_id"`
	State              status.State        `json:"state"`
	Power              desired.Power       `json:"power"`
	Ports              []desired.Port      `json:"ports"`
	Labels             map[string]string   `json:"labels"`
	Generation         int64               `json:"generation"`
	ObservedGeneration int64               `json:"observed_generation"`
	Suspended          bool                `json:"suspended"`
	Deleting           bool                `json:"deleting"`
}

// UsedPort answers a port of the pool that was taken out of service, or put back.
type UsedPort struct {
	Message string `json:"message"`
	desired.PoolPort
}

// Volume is a directory that outlives the containers on it.
type Volume struct {
	// ID and VolumeID are the same.
	ID       string `json:"id"`
	VolumeID string `json:"volume_id"`
	// Path is where it is on the host; empty for a token for some containers.
	Path      string `json:"path"`
	CreatedAt int64  `json:"created_at"`
	// SizeBytes is what its files had when they were last measured; nil before the first time since the
	// daemon began.
	SizeBytes *int64 `json:"size_bytes"`
	// UsedBytes is what its files took of the disk then, which QuotaBytes bounds.
	UsedBytes *int64 `json:"used_bytes"`
	// QuotaBytes is nil where there is no quota.
	QuotaBytes *int64   `json:"quota_bytes"`
	Containers []string `json:"containers"`
}

// SizedVolume is one volume as GET shows it. The size is null when it takes too long to
// find out.
type SizedVolume struct {
	Volume
	Size *int64 `json:"size"`
}
