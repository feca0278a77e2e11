package api

import (
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/status"
)

// Receipt answers a write of a container that was accepted: it has been dealt with when
// the container's observed generation reaches Generation. Of a dry run it tells what
// would have been.
type Receipt struct {
	Message    string `json:"message,omitempty"`
	InternalID string `json:"internal_id"`
	// Action is told by an apply, and by a dry run.
	Action desired.Action `json:"action,omitempty"`
	// State is told of a creation.
	State      status.InstallState `json:"state,omitempty"`
	Generation int64               `json:"generation"`
	// Spec is the whole spec as it would be stored; told of a dry run.
	Spec *desired.Spec `json:"spec,omitempty"`
	// Warnings name what is accepted of the spec and may yet surprise; of a write that changed
	// something.
	Warnings []Detail `json:"warnings,omitempty"`
	// Wait and Conditions are told where the request asked to wait.
	Wait       *Wait              `json:"wait,omitempty"`
	Conditions []status.Condition `json:"conditions,omitempty"`
	// Plan is told of a dry run.
	*Plan
}

// Plan is what the controller would do.
type Plan = plan.Simulation

// Goal is what a request can wait for.
type Goal string

// The goals.
const (
	UntilInstalled Goal = "installed"
	UntilRunning   Goal = "running"
	UntilStopped   Goal = "stopped"
	UntilSynced    Goal = "synced"
)

// Wait is how waiting ended.
type Wait struct {
	For Goal `json:"for"`
	Met bool `json:"met"`
	// Reason is a condition's reason, or one of those below; Message is for people.
	Reason  status.Reason `json:"reason"`
	Message string        `json:"message"`
}

// Reasons of a wait that are none of a condition.
const (
	// ReasonTimeout: it was neither met nor in vain when its time ran out.
	ReasonTimeout status.Reason = "Timeout"
	// ReasonOvertaken: a later write wants the opposite.
	ReasonOvertaken status.Reason = "Overtaken"
	// ReasonPending: it was neither met nor in vain when the wait for another container of
	// the same apply ended in vain, and all of them with it.
	ReasonPending status.Reason = "Pending"
)

// Apply is the body of POST /apply.
type Apply struct {
	// Volumes and Ports of the pool are made, or kept, before the containers are. An apply deletes none.
	Volumes    []ApplyVolume       `json:"volumes,omitempty"`
	Ports      []desired.PortRange `json:"ports,omitempty"`
	Containers []desired.Spec      `json:"containers"`
	// Prune deletes what Selector matches and the list lacks.
	Prune    bool   `json:"prune"`
	Selector string `json:"selector"`
}

// Applied answers it: the containers in the order of the list, those pruned last.
type Applied struct {
	Message string `json:"message,omitempty"`
	// Volumes and Ports are absent where the request has none.
	Volumes    []AppliedVolume `json:"volumes,omitempty"`
	Ports      *AppliedPorts   `json:"ports,omitempty"`
	Created    int             `json:"created"`
	Updated    int             `json:"updated"`
	Unchanged  int             `json:"unchanged"`
	Deleted    int             `json:"deleted"`
	Containers []Receipt       `json:"containers"`
}

// ApplyVolume is a volume of an apply.
type ApplyVolume struct {
	VolumeID string `json:"volume_id"`
	// QuotaBytes is its quota, 0 none; nil leaves that of a volume that is there as it is.
	QuotaBytes *int64 `json:"quota_bytes,omitempty"`
}

// AppliedVolume is what an apply did to a volume: it was created, its quota updated, or it is unchanged.
type AppliedVolume struct {
	VolumeID string         `json:"volume_id"`
	Action   desired.Action `json:"action"`
}

// AppliedPorts counts the ports of an apply that are new in the pool, and those that were there.
type AppliedPorts struct {
	Created   int `json:"created"`
	Unchanged int `json:"unchanged"`
}
