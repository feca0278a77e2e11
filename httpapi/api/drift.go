package api

import (
	"time"

	"lightd/controller/plan"
)

// DriftKind says whether a difference is acted upon.
type DriftKind string

// The kinds of drift.
const (
	// DriftSpec differs from the spec.
	DriftSpec DriftKind = "spec"
	// DriftMovedTag is a tag that points to another image than the container runs.
	DriftMovedTag DriftKind = "moved_tag"
)

// DriftField is one field that Docker shows otherwise than the spec says.
type DriftField struct {
	Path     string    `json:"path"`
	Desired  any       `json:"desired"`
	Observed any       `json:"observed"`
	Since    time.Time `json:"since"`
	// Step is what would mend it.
	Step plan.Kind `json:"step"`
	Kind DriftKind `json:"kind"`
}

// Drift is the report of one container.
type Drift struct {
	InternalID string       `json:"internal_id"`
	InSync     bool         `json:"in_sync"`
	Fields     []DriftField `json:"fields"`
}

// NodeDrift is the report of all: the containers that are not in sync, and how many are.
type NodeDrift struct {
	Containers []Drift `json:"containers"`
	InSync     int     `json:"in_sync"`
	Drifted    int     `json:"drifted"`
}
